import type { Statement } from '@oncekey/postgres/client'

/** Gives back deliveries that were claimed and not sent, as if they never had been, and ends their probes. */
export function releaseDeliveries(
  schema: string,
  claims: readonly { readonly id: string; readonly epoch: number }[],
): Statement {
  return {
    name: 'release_deliveries',
    text: `
      with released as (
        update ${schema}.webhook_deliveries d
          set leased_until = null, unfinished = d.unfinished - 1
          from json_to_recordset($1::json) as c (id bigint, epoch integer)
          where d.id = c.id and d.epoch = c.epoch and d.state = 'pending'
            and d.leased_until is not null
          returning d.id, d.endpoint_id
      ), probed as materialized (
        select e.id from ${schema}.webhook_endpoints e
          join released r on r.endpoint_id = e.id and r.id = e.probe_id
          order by e.id
          for no key update of e skip locked
      )
      update ${schema}.webhook_endpoints e
        set blocked_until = null, probe_id = null
        from probed p where e.id = p.id`,
    values: [JSON.stringify(claims.map(({ id, epoch }) => ({ id, epoch })))],
  }
}
