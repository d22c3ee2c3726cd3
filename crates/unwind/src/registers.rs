//! User registers of an x86-64 sample.

use framehop::x86_64::{Reg, UnwindRegsX86_64};

/// Registers by perf's numbers: AX BX CX DX SI DI BP SP IP FLAGS CS SS DS ES FS GS R8 … R15.
pub const PERF_REGISTERS: usize = 24;

const SP: usize = 7;
const IP: usize = 8;

/// perf's number of each register that unwinding needs.
const USED: [(usize, Reg); 16] = [
    (0, Reg::RAX),
    (1, Reg::RBX),
    (2, Reg::RCX),
    (3, Reg::RDX),
    (4, Reg::RSI),
    (5, Reg::RDI),
    (6, Reg::RBP),
    (7, Reg::RSP),
    (16, Reg::R8),
    (17, Reg::R9),
    (18, Reg::R10),
    (19, Reg::R11),
    (20, Reg::R12),
    (21, Reg::R13),
    (22, Reg::R14),
    (23, Reg::R15),
];

/// User registers at the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    values: [u64; PERF_REGISTERS],
}

impl Registers {
    /// From the values of a `sample_regs_user` mask, lowest bit first, as the kernel writes them. `None` where the
    /// mask lacks the instruction or the stack pointer, or there are too few values.
    pub fn from_mask(mask: u64, mut values: impl Iterator<Item = u64>) -> Option<Self> {
        let mut all = [0; PERF_REGISTERS];
        for bit in 0..u64::BITS as usize {
            if mask & (1 << bit) == 0 {
                continue;
            }
            let value = values.next()?;
            if let Some(place) = all.get_mut(bit) {
                *place = value;
            }
        }
        (mask & (1 << SP) != 0 && mask & (1 << IP) != 0).then_some(Self { values: all })
    }

    /// From the three registers that matter most, where a recorder keeps only those.
    pub fn new(ip: u64, sp: u64, bp: u64) -> Self {
        let mut values = [0; PERF_REGISTERS];
        (values[IP], values[SP], values[6]) = (ip, sp, bp);
        Self { values }
    }

    pub fn ip(&self) -> u64 {
        self.values[IP]
    }

    pub fn sp(&self) -> u64 {
        self.values[SP]
    }

    pub(crate) fn for_unwinding(&self) -> UnwindRegsX86_64 {
        let mut registers = UnwindRegsX86_64::new(self.ip(), self.sp(), self.values[6]);
        for (number, register) in USED {
            registers.set(register, self.values[number]);
        }
        registers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_values_in_the_order_of_the_mask() {
        // BP, SP, IP, R8 as perf's mask names them; the segment registers are left out.
        let registers = Registers::from_mask(0b1_0000_0001_1100_0000, [11, 22, 33, 44].into_iter());
        let registers = registers.expect("all there");
        assert_eq!((registers.ip(), registers.sp(), registers.values[6], registers.values[16]), (33, 22, 11, 44));
        assert_eq!(Registers::from_mask(0b1_1000_0000, [1].into_iter()), None);
        assert_eq!(Registers::from_mask(1, [1].into_iter()), None);
    }
}
