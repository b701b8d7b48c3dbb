//! The DWARF codes that `arch/*/start.s` uses, by their names in the DWARF 5 standard (sections 7.7.1 and 7.24).

pub(super) const DW_CFA_DEF_CFA_EXPRESSION: u8 = 0x0f;
pub(super) const DW_OP_DEREF: u8 = 0x06;
pub(super) const DW_OP_DUP: u8 = 0x12;
pub(super) const DW_OP_DROP: u8 = 0x13;
pub(super) const DW_OP_SWAP: u8 = 0x16;
pub(super) const DW_OP_PLUS_UCONST: u8 = 0x23;
pub(super) const DW_OP_BRA: u8 = 0x28;
pub(super) const DW_OP_SKIP: u8 = 0x2f;
const DW_OP_BREG0: u8 = 0x70;
/// The stack pointer's register number is 7 in the x86_64 ABI and 31 in the aarch64 one.
pub(super) const DW_OP_BREG_SP: u8 = DW_OP_BREG0 + if cfg!(target_arch = "x86_64") { 7 } else { 31 };
