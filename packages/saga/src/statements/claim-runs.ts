import type { Statement } from '@oncekey/postgres/client'
import type { RunJson } from './run-json.ts'

/** Takes runs that are due and whose definition is known. */
export function claimRunsStatement(
  schema: string,
): (claim: ClaimRuns) => Statement<{ runs: string | null }> {
  const text = `
    select ${schema}.saga_claim_2($1::json, $2::text, $3::integer, $4::integer)::text as runs`

  return ({ known, owner, leaseMs, limit }) => ({
    name: 'saga_claim_runs',
    text,
    values: [JSON.stringify(known), owner, leaseMs, limit],
  })
}

export interface ClaimRuns {
  readonly known: readonly string[]
  readonly owner: string
  readonly leaseMs: number
  readonly limit: number
}

/** What `runs` is, in JSON; null where there were none. */
export type ClaimedJson = readonly RunJson[]
