import type { Statement } from '../../sql-client.ts'

/** A lease to be renewed: whose, and for how long from now. */
export interface LeaseRenewal {
  readonly namespace: string
  readonly scope: string
  readonly key: string
  readonly token: string
  readonly ms: number
}

/** Renews leases, and forgets those of attempts that are over; answers with the tokens still held, as JSON. */
export function renewLeasesStatement(
  schema: string,
): (renewals: readonly LeaseRenewal[], over: readonly string[]) => Statement<{ held: string }> {
  const text = `select ${schema}.renew_leases($1, $2) as held`

  return (renewals, over) => ({
    name: 'renew_leases',
    text,
    values: [JSON.stringify(renewals), over.length === 0 ? null : JSON.stringify(over)],
  })
}
