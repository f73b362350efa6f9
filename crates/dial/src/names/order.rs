//! The order of SRV records: RFC 2782, "Usage rules". Priorities first; among equal ones each is drawn
//! with a chance of its weight.

use waxwing_stream::Seed;

use super::SrvRecord;

/// Orders records, each with what its owner ties to it.
pub(super) fn order<T>(mut records: Vec<(SrvRecord, T)>, dice: &mut Seed) -> Vec<(SrvRecord, T)> {
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.iter().map(|(record, _)| record.priority).min() {
        let (mut equal, rest) = records
            .into_iter()
            .partition::<Vec<_>, _>(|(record, _)| record.priority == first);
        records = rest;
        // Those of weight zero stand first: they are drawn by a zero alone.
        equal.sort_by_key(|(record, _)| record.weight != 0);
        while !equal.is_empty() {
            let at = draw(&equal, dice);
            ordered.push(equal.remove(at));
        }
    }
    ordered
}

/// Draws a number from zero to the sum of the weights, both included, and takes the first whose running
/// sum is at least that.
fn draw<T>(equal: &[(SrvRecord, T)], dice: &mut Seed) -> usize {
    let sum: u64 = equal.iter().map(|(record, _)| weight(record)).sum();
    let drawn = below(sum + 1, dice);
    let mut running = 0;
    let reached = |(record, _): &(SrvRecord, T)| {
        running += weight(record);
        running >= drawn
    };
    equal.iter().position(reached).unwrap_or_default()
}

fn weight(record: &SrvRecord) -> u64 {
    u64::from(record.weight)
}

/// A number below `bound`; 64 bits over the few that a bound has leave no bias that could be seen.
fn below(bound: u64, dice: &mut Seed) -> u64 {
    let mut bytes = [0; 8];
    dice.fill(&mut bytes);
    u64::from_be_bytes(bytes) % bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, name: &str) -> (SrvRecord, ()) {
        let target = name.to_owned();
        let record = SrvRecord {
            priority,
            weight,
            port: 5222,
            target,
        };
        (record, ())
    }

    fn names(records: Vec<(SrvRecord, ())>, dice: &mut Seed) -> Vec<String> {
        let ordered = order(records, dice).into_iter();
        ordered.map(|(record, ())| record.target).collect()
    }

    #[test]
    fn priorities_come_before_weights() {
        let mut dice = Seed::new([1; 32]);
        for _ in 0..100 {
            let records = vec![
                record(20, 65_535, "third"),
                record(5, 0, "first"),
                record(10, 1, "second"),
            ];
            assert_eq!(names(records, &mut dice), ["first", "second", "third"]);
        }
    }

    #[test]
    fn weights_are_chances() {
        let mut dice = Seed::new([2; 32]);
        let mut first = [0_u32; 3];
        for _ in 0..10_000 {
            let records = vec![record(1, 60, "0"), record(1, 30, "1"), record(1, 10, "2")];
            let order = names(records, &mut dice);
            assert_eq!(order.len(), 3);
            first[order[0].parse::<usize>().unwrap()] += 1;
        }
        // The rule draws 0..=100, of which 0..=60 are the first one's: 61, 30 and 10 of 101.
        for (count, share) in first.into_iter().zip([61, 30, 10]) {
            let expected = 10_000 * share / 101;
            // Four standard deviations of 10,000 draws are at most 200; the seed makes it certain.
            assert!(count.abs_diff(expected) < 200, "{first:?}");
        }
    }

    #[test]
    fn a_weight_of_zero_has_the_least_chance_beside_others() {
        let mut dice = Seed::new([3; 32]);
        let mut zero_first = 0_u32;
        for _ in 0..10_000 {
            let records = vec![record(1, 99, "heavy"), record(1, 0, "zero")];
            zero_first += u32::from(names(records, &mut dice)[0] == "zero");
        }
        // Drawn by 0 alone, of 0..=99.
        assert!(zero_first.abs_diff(100) < 50, "{zero_first}");
        // Beside the least weight it is drawn by 0 of 0 and 1.
        let mut zero_first = 0_u32;
        for _ in 0..10_000 {
            let records = vec![record(1, 1, "light"), record(1, 0, "zero")];
            zero_first += u32::from(names(records, &mut dice)[0] == "zero");
        }
        assert!(zero_first.abs_diff(5_000) < 200, "{zero_first}");
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let order = |seed| {
            let records = (0..20).map(|at| record(1, 10, &at.to_string())).collect();
            names(records, &mut Seed::new(seed))
        };
        assert_eq!(order([4; 32]), order([4; 32]));
        assert_ne!(order([4; 32]), order([5; 32]));
    }
}
