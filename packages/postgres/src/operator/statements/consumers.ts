import type { Statement } from '../../sql/sql-client.ts'

/** Times in milliseconds since 1970; `relays` and `wanted` are JSON. */
export interface ConsumerRow {
  readonly name: string
  readonly wanted: string | null
  readonly seen_at: string
  readonly abandoned_at: string | null
  readonly relays: string
  readonly held: string
}

export function listConsumers(schema: string): Statement<ConsumerRow> {
  return {
    name: 'list_consumers',
    text: `
      select c.name, c.wanted, (extract(epoch from c.seen_at) * 1000)::bigint::text as seen_at,
          (extract(epoch from c.abandoned_at) * 1000)::bigint::text as abandoned_at,
          (select coalesce(json_agg(r.relay order by r.relay), '[]') from ${schema}.relays r
            where r.consumer = c.name and r.until > clock_timestamp())::text as relays,
          (select count(*) from ${schema}.cursors u
            where u.consumer = c.name and u.relay is not null and u.lease_until > clock_timestamp())::text
            as held
        from ${schema}.consumers c order by c.name limit 1000`,
    values: [],
    cancellable: true,
  }
}
