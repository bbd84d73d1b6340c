//! The project's own commands.

fn main() -> anyhow::Result<()> {
    Ok(())
}
