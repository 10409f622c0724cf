//! Circles of a directed graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// For each node the nodes that it points to.
pub type Graph<N> = BTreeMap<N, BTreeSet<N>>;

/// For each set of nodes that reach one another a shortest circle of it, its first node at the end again.
pub fn circles<N: Ord + Clone>(graph: &Graph<N>) -> Vec<Vec<N>> {
    let mut circles = Vec::new();
    let mut seen: BTreeSet<N> = BTreeSet::new();
    for node in graph.keys() {
        if seen.contains(node) {
            continue;
        }
        if let Some(circle) = shortest_circle(graph, node) {
            let reached = reachable(graph, node);
            let back = reached
                .iter()
                .filter(|other| reachable(graph, other).contains(node));
            seen.extend(back.cloned());
            circles.push(circle);
        }
    }
    circles
}

/// The shortest way from a node back to it.
fn shortest_circle<N: Ord + Clone>(graph: &Graph<N>, start: &N) -> Option<Vec<N>> {
    let mut from: BTreeMap<&N, &N> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph.get(node).into_iter().flatten() {
            if next == start {
                let mut circle = vec![start.clone()];
                let mut at = node;
                while at != start {
                    circle.push(at.clone());
                    at = from.get(at)?;
                }
                circle.push(start.clone());
                circle.reverse();
                return Some(circle);
            }
            if !from.contains_key(next) {
                from.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    None
}

/// All nodes that a node leads to.
fn reachable<N: Ord + Clone>(graph: &Graph<N>, start: &N) -> BTreeSet<N> {
    let mut reached = BTreeSet::new();
    let mut left = vec![start];
    while let Some(node) = left.pop() {
        for next in graph.get(node).into_iter().flatten() {
            if reached.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &[(&str, &str)], expected: &[&[&str]]) {
        let mut graph: Graph<&str> = Graph::new();
        for (from, to) in edges {
            graph.entry(*from).or_default().insert(*to);
        }
        assert_eq!(circles(&graph), expected, "{edges:?}");
    }

    #[test]
    fn the_shortest_of_each_set_is_found() {
        check(&[], &[]);
        check(&[("a", "b"), ("b", "c"), ("a", "c")], &[]);
        check(&[("a", "b"), ("b", "a")], &[&["a", "b", "a"]]);
        check(
            &[
                ("a", "b"),
                ("b", "c"),
                ("c", "a"),
                ("b", "a"),
                ("c", "d"),
                ("d", "e"),
                ("e", "d"),
            ],
            &[&["a", "b", "a"], &["d", "e", "d"]],
        );
        check(&[("x", "a"), ("a", "b"), ("b", "a")], &[&["a", "b", "a"]]);
    }
}
