//! The command line.

#[cfg(test)]
mod trace; // recorded arrivals

fn main() {}
