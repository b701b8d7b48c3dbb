//! Frames that never run, for unwinders: the DWARF codes that `arch/*/bottom.s` and `follow.s` use, by their names in the
//! DWARF 5 standard (sections 7.7.1 and 7.24), and what makes functions of those texts.

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

/// A naked function of the text at `$path`, which gets the codes by name.
macro_rules! frame {
    ($(#[$attribute:meta])* $name:ident, $path:literal) => {
        $(#[$attribute])*
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                include_str!($path),
                DW_CFA_def_cfa_expression = const $crate::arch::dwarf::DW_CFA_DEF_CFA_EXPRESSION,
                DW_OP_breg_sp = const $crate::arch::dwarf::DW_OP_BREG_SP,
                DW_OP_deref = const $crate::arch::dwarf::DW_OP_DEREF,
                DW_OP_lit0 = const $crate::arch::dwarf::DW_OP_LIT0,
                DW_OP_eq = const $crate::arch::dwarf::DW_OP_EQ,
                DW_OP_minus = const $crate::arch::dwarf::DW_OP_MINUS,
                DW_OP_and = const $crate::arch::dwarf::DW_OP_AND,
                DW_OP_plus = const $crate::arch::dwarf::DW_OP_PLUS,
                DW_OP_plus_uconst = const $crate::arch::dwarf::DW_OP_PLUS_UCONST,
            )
        }
    };
}

pub(super) use frame;
