/** Something that is not as it should be. */
export interface Finding {
  /** The check that found it: `schema`, `horizon`. */
  readonly check: string
  /** `fault`: something is lost or does not work. `warning`: it will be, under some condition. */
  readonly level: 'fault' | 'warning'
  readonly what: string
  readonly why: string
  readonly todo: string
  /** What repairs it, to be run as it is. */
  readonly statements?: readonly string[]
}

/** What a check was worth: its findings, or why it could not look. */
export interface Checked {
  readonly check: string
  /** What is true where it found nothing. */
  readonly well: string
  readonly findings: readonly Finding[]
  /** Why it could not look. */
  readonly skipped?: string
}

/** What a check says: what it found, and what is true where that is nothing. */
export interface Verdict {
  readonly well: string
  readonly findings: readonly Omit<Finding, 'check'>[]
}

/**
 * Runs a check; one that may not look is skipped, and says so. So is one that meets something
 * missing, where another check has found the schema to be `incomplete`.
 */
export async function checked(
  check: string,
  look: () => Promise<Verdict>,
  { incomplete = false }: { incomplete?: boolean } = {},
): Promise<Checked> {
  try {
    const { well, findings } = await look()
    return { check, well, findings: findings.map((finding) => ({ check, ...finding })) }
  } catch (error) {
    const code = codeOf(error)
    const isExpected = MAY_NOT_LOOK.has(code ?? '') || (incomplete && NOT_THERE.has(code ?? ''))
    if (!isExpected) throw error
    const said = error instanceof Error ? error.message : String(error)
    return { check, well: '', findings: [], skipped: said }
  }
}

function codeOf(error: unknown): string | undefined {
  const { code, cause } = error as { code?: string; cause?: { code?: string } }
  return cause?.code ?? code
}

/** Without the right to, on a standby, and where a server does not have it. */
const MAY_NOT_LOOK = new Set(['42501', '25006', '0A000'])
const NOT_THERE = new Set(['42P01', '42703', '42883', '3F000'])
