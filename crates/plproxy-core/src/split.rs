//! `SPLIT`: which elements of the split arrays go to which partition.

/// The elements of each tagged partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Per partition, its elements in ascending order.
    elements: Vec<Vec<usize>>,
    /// The partitions that have elements, in the order of first use.
    order: Vec<usize>,
}

impl Split {
    /// Nothing yet, over `partitions`.
    pub fn new(partitions: usize) -> Self {
        Self {
            elements: vec![Vec::new(); partitions],
            order: Vec::new(),
        }
    }

    /// Every element to one partition: `parts[i]` is the partition of element `i`.
    pub fn of(parts: &[usize], partitions: usize) -> Self {
        let mut split = Self::new(partitions);
        for (element, &partition) in parts.iter().enumerate() {
            split.add(element, partition);
        }
        split
    }

    /// Sends an element to a partition. Elements come in ascending order; several hashes may send one element to
    /// several partitions, or to one of them twice, which counts once. `false` for a partition that does not
    /// exist.
    pub fn add(&mut self, element: usize, partition: usize) -> bool {
        let Some(elements) = self.elements.get_mut(partition) else {
            return false;
        };
        match elements.last() {
            None => self.order.push(partition),
            Some(&last) if last == element => return true,
            Some(_) => {}
        }
        elements.push(element);
        true
    }

    /// The tagged partitions in the order of first use, each with its elements.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[usize])> {
        self.order
            .iter()
            .filter_map(|&partition| Some((partition, self.elements.get(partition)?.as_slice())))
    }

    /// How many partitions are tagged.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no element was added.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collected(split: &Split) -> Vec<(usize, Vec<usize>)> {
        split
            .iter()
            .map(|(p, elements)| (p, elements.to_vec()))
            .collect()
    }

    #[test]
    fn partitions_come_in_the_order_of_first_use() {
        let split = Split::of(&[3, 1, 2, 3, 1], 4);
        assert_eq!(
            collected(&split),
            [(3, vec![0, 3]), (1, vec![1, 4]), (2, vec![2])]
        );
        assert_eq!(split.len(), 3);
        assert!(Split::of(&[], 4).is_empty());
    }

    #[test]
    fn an_element_may_go_to_several() {
        let mut split = Split::new(4);
        for (element, partition) in [(0, 3), (0, 0), (0, 3), (1, 1), (2, 3), (2, 3)] {
            assert!(split.add(element, partition));
        }
        assert!(!split.add(3, 4));
        assert_eq!(
            collected(&split),
            [(3, vec![0, 2]), (0, vec![0]), (1, vec![1])]
        );
    }

    proptest! {
        #[test]
        fn every_element_goes_where_it_was_sent_once_and_in_order(
            parts in prop::collection::vec(0usize..7, 0..200),
        ) {
            let split = Split::of(&parts, 7);
            let mut seen = 0;
            let mut firsts = Vec::new();
            for (partition, elements) in split.iter() {
                prop_assert!(!elements.is_empty());
                prop_assert!(elements.is_sorted_by(|a, b| a < b));
                prop_assert!(elements.iter().all(|&e| parts[e] == partition));
                firsts.push(elements[0]);
                seen += elements.len();
            }
            prop_assert_eq!(seen, parts.len());
            prop_assert!(firsts.is_sorted_by(|a, b| a < b));
        }
    }
}
