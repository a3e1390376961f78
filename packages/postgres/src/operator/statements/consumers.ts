import type { Statement } from '../../sql/sql-client.ts'

/** Times in milliseconds since 1970; `relays` and `wanted` are JSON. */
export interface ConsumerRow {
  readonly name: string
  readonly wanted: string | null
  readonly seen_at: string
  readonly abandoned_at: string | null
  readonly paused_at: string | null
  readonly paused_by: string | null
  readonly paused_note: string | null
  /** {@link HolderJson}, one for each relay. */
  readonly relays: string
  readonly held: string
}

export interface HolderJson {
  readonly relay: string
  readonly slots: number
  readonly perSecond: number
  readonly lastError: {
    readonly name: string
    readonly message: string
    readonly eventId: string
    readonly at: string
  } | null
}

/**
 * Lists consumers. A slot counts as held while its relay is alive, by the relay's row: renewing a
 * lease does not write the slot's row.
 */
export function listConsumers(schema: string): Statement<ConsumerRow> {
  return {
    name: 'list_consumers',
    text: `
      select c.name, c.wanted, (extract(epoch from c.seen_at) * 1000)::bigint::text as seen_at,
          (extract(epoch from c.abandoned_at) * 1000)::bigint::text as abandoned_at,
          (extract(epoch from c.paused_at) * 1000)::bigint::text as paused_at,
          c.paused_by, c.paused_note,
          (select coalesce(json_agg(json_build_object('relay', r.relay, 'perSecond', r.per_second,
                'lastError', r.last_error, 'slots', (
                  select count(*) from ${schema}.cursors s
                    where s.consumer = c.name and s.relay = r.relay)) order by r.relay), '[]')
            from ${schema}.relays r
            where r.consumer = c.name and r.until > clock_timestamp())::text as relays,
          (select count(*) from ${schema}.cursors u join ${schema}.relays r
              on r.consumer = u.consumer and r.relay = u.relay
            where u.consumer = c.name and r.until > clock_timestamp())::text
            as held
        from ${schema}.consumers c order by c.name limit 1000`,
    values: [],
    cancellable: true,
  }
}
