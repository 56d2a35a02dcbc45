"""What moves a judge that should not: shown pairs changed so that the better answer stays so."""
