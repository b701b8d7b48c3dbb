//! What benches/peers has measured: its rows as JSON and text, a page of them, and README's tables.

pub mod compare;
pub mod first;
pub mod page;
pub mod readme;
pub mod reasons;
pub mod result;
pub mod table;
