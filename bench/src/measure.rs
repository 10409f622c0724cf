//! Rounds: each measures one handler and then the other, so that what the machine does meanwhile meets both.

use crate::Outcome;
use crate::server::Servers;
use crate::statistics::{median, range};
use plproxy_test_kit::Server;

/// Which handler.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    C,
    Ours,
}

impl Servers {
    pub fn proxy(&self, side: Side) -> &Server {
        match side {
            Side::C => &self.c,
            Side::Ours => &self.ours,
        }
    }
}

/// One value of each handler.
#[derive(Clone, Copy)]
pub struct Pair<T> {
    pub c: T,
    pub ours: T,
}

impl<T> Pair<T> {
    /// Makes both, the C handler's first.
    pub fn make(mut value: impl FnMut(Side) -> Outcome<T>) -> Outcome<Self> {
        Ok(Self {
            c: value(Side::C)?,
            ours: value(Side::Ours)?,
        })
    }

    pub fn of(&self, side: Side) -> &T {
        match side {
            Side::C => &self.c,
            Side::Ours => &self.ours,
        }
    }
}

/// So many rounds. Who comes first changes from round to round.
pub fn rounds<T>(
    count: usize,
    mut measure: impl FnMut(Side) -> Outcome<T>,
) -> Outcome<Vec<Pair<T>>> {
    (0..count)
        .map(|round| {
            if round % 2 == 0 {
                Pair::make(&mut measure)
            } else {
                let ours = measure(Side::Ours)?;
                let c = measure(Side::C)?;
                Ok(Pair { c, ours })
            }
        })
        .collect()
}

/// One quantity over the rounds.
pub struct Rounds(pub Vec<Pair<f64>>);

impl Rounds {
    /// Takes a quantity out of what was measured.
    pub fn of<T>(measured: &[Pair<T>], quantity: impl Fn(&T) -> f64) -> Self {
        let pair = |pair: &Pair<T>| Pair {
            c: quantity(&pair.c),
            ours: quantity(&pair.ours),
        };
        Self(measured.iter().map(pair).collect())
    }

    /// The medians of both.
    pub fn medians(&self) -> Pair<f64> {
        let all = |side| {
            self.0
                .iter()
                .map(|pair| *pair.of(side))
                .collect::<Vec<f64>>()
        };
        Pair {
            c: median(&all(Side::C)),
            ours: median(&all(Side::Ours)),
        }
    }

    fn ratios(&self) -> Vec<f64> {
        self.0.iter().map(|pair| pair.ours / pair.c).collect()
    }

    /// Ours by C's, the median of the rounds' own ratios.
    pub fn ratio(&self) -> f64 {
        median(&self.ratios())
    }

    /// The smallest and the largest of them.
    pub fn ratio_range(&self) -> (f64, f64) {
        range(&self.ratios())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_alternate() {
        let mut order = String::new();
        let measured = rounds(2, |side| {
            order.push(if side == Side::C { 'c' } else { 'o' });
            Ok(if side == Side::C { 2.0 } else { 3.0 })
        });
        assert_eq!(order, "cooc");
        let rounds = Rounds::of(&measured.expect("cannot fail"), |value| *value);
        assert_eq!(rounds.ratio(), 1.5);
        assert_eq!(rounds.ratio_range(), (1.5, 1.5));
        assert_eq!(rounds.medians().c, 2.0);
    }
}
