import type { Statement } from '@oncekey/postgres/client'

export function discardDeadLetters(
  schema: string,
  ids: readonly string[],
  note: string,
): Statement<{ id: string }> {
  return {
    name: 'discard_dead_letters',
    text: `
      update ${schema}.webhook_deliveries d
        set state = 'discarded', note = $2::text, ended_at = now(), resolved_at = now()
        where d.state = 'dead'
          and d.id = any(array(select json_array_elements_text($1::json)::bigint))
        returning d.id::text`,
    values: [JSON.stringify(ids), note],
  }
}
