import type { Statement } from '../../sql-client.ts'

/** Marks dead letters as never to be delivered. */
export function discardDead(
  schema: string,
  ids: readonly string[],
  note: string,
): Statement<{ id: string }> {
  return {
    name: 'discard_dead',
    text: `
      update ${schema}.deliveries d
        set state = 'resolved', resolution = 'discarded', note = $2::text,
          resolved_at = clock_timestamp()
        where d.id = any($1::bigint[]) and d.state = 'dead'
        returning d.id::text`,
    values: [`{${ids.join(',')}}`, note],
  }
}
