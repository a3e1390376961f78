import type { Statement } from '@oncekey/postgres/client'

/** What has become of some deliveries: those that are not there are missing. */
export function deliveryStates(
  schema: string,
  ids: readonly string[],
): Statement<{ id: string; state: string }> {
  return {
    name: 'delivery_states',
    text: `
      select d.id::text, d.state from ${schema}.webhook_deliveries d
        where d.id = any(array(select json_array_elements_text($1::json)::bigint))`,
    values: [JSON.stringify(ids)],
  }
}
