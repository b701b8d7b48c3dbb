//! The DWARF codes that `arch/*/start.s` and `follow.s` use, by their names in the DWARF 5 standard (sections 7.7.1 and 7.24).
#![forbid(unsafe_code)]

pub(super) const DW_CFA_DEF_CFA_EXPRESSION: u8 = 0x0f;
pub(super) const DW_OP_DEREF: u8 = 0x06;
pub(super) const DW_OP_AND: u8 = 0x1a;
pub(super) const DW_OP_MINUS: u8 = 0x1c;
pub(super) const DW_OP_PLUS: u8 = 0x22;
pub(super) const DW_OP_PLUS_UCONST: u8 = 0x23;
pub(super) const DW_OP_EQ: u8 = 0x29;
pub(super) const DW_OP_LIT0: u8 = 0x30;
const DW_OP_BREG0: u8 = 0x70;
/// The stack pointer's register number is 7 in the x86_64 ABI and 31 in the aarch64 one.
pub(super) const DW_OP_BREG_SP: u8 = DW_OP_BREG0 + if cfg!(target_arch = "x86_64") { 7 } else { 31 };
