/* Before a program, by -include: what it calls are the functions of switchback_inline.h. */
#define _DEFAULT_SOURCE 1 /* as a program may, before its first header */
#include <switchback_inline.h>
#define swb_resume swb_resume_inline
#define swb_send swb_send_inline
#define swb_yield swb_yield_inline
