/** A fault or a risk that a check of `oncekey doctor` found. */
export interface Finding {
  /** The check that found it: `schema`, `horizon`. */
  readonly check: string
  /**
   * `fault`: something does not work, or data is being lost. `warning`: that can happen, under a
   * condition that `why` names.
   */
  readonly level: 'fault' | 'warning'
  readonly what: string
  readonly why: string
  readonly todo: string
  /** SQL that repairs the fault, to be run unchanged. */
  readonly statements?: readonly string[]
}

/** A check that was run: its findings, or why it was skipped. */
export interface Checked {
  readonly check: string
  /** The line that is shown if there are no findings: what is in order. */
  readonly well: string
  readonly findings: readonly Finding[]
  /** Why the check could not be run. */
  readonly skipped?: string
}

/** The result of a check, without the check's name: see {@link Checked}. */
export interface CheckResult {
  readonly well: string
  readonly findings: readonly Omit<Finding, 'check'>[]
}

/**
 * Runs a check. The check counts as skipped, with the error as the reason, in two cases: the login
 * may not read what the check reads; or the check needs a part of the schema that another check has
 * reported as missing (`incomplete`). Any other error is thrown.
 */
export async function checked(
  check: string,
  look: () => Promise<CheckResult>,
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

/**
 * SQLSTATEs by which this server or login refuses a check: insufficient privilege, not on a
 * standby, feature not supported.
 */
const MAY_NOT_LOOK = new Set(['42501', '25006', '0A000'])
/** SQLSTATEs of a missing table, column, function and schema. */
const NOT_THERE = new Set(['42P01', '42703', '42883', '3F000'])
