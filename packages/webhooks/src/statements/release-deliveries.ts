import type { Statement } from '@oncekey/postgres/client'

/** Gives back deliveries that were claimed and not sent, as if they never had been. */
export function releaseDeliveries(
  schema: string,
  claims: readonly { readonly id: string; readonly epoch: number }[],
): Statement {
  return {
    name: 'release_deliveries',
    text: `
      update ${schema}.webhook_deliveries d
        set leased_until = null, unfinished = d.unfinished - 1
        from json_to_recordset($1::json) as c (id bigint, epoch integer)
        where d.id = c.id and d.epoch = c.epoch and d.state = 'pending'
          and d.leased_until is not null`,
    values: [JSON.stringify(claims.map(({ id, epoch }) => ({ id, epoch })))],
  }
}
