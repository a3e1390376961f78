import type { Statement } from '../../sql-client.ts'

/** What became of deliveries. */
export function deliveryStates(
  schema: string,
  ids: readonly string[],
): Statement<{ id: string; state: string; resolution: string | null }> {
  return {
    name: 'delivery_states',
    text: `
      select d.id::text, d.state, d.resolution
        from ${schema}.deliveries d where d.id = any($1::bigint[])`,
    values: [`{${ids.join(',')}}`],
  }
}
