import type { DeadLetterFilter } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import { deadLetterPredicate, deadLetterValues } from './dead-letter-predicate.ts'

/** Puts back the oldest that match, under the event ids they had, each with a schedule that begins anew. */
export function redriveDeadLetters(
  schema: string,
  filter: DeadLetterFilter,
  limit: number,
): Statement<{ id: string }> {
  return {
    name: 'redrive_dead_letters',
    text: `
      with due as materialized (
        select d.id
          from ${schema}.webhook_deliveries d
          join ${schema}.webhook_messages m on m.id = d.message_id
          where ${deadLetterPredicate}
          order by d.died_at, d.id
          limit $10::integer
          for update of d skip locked
      )
      update ${schema}.webhook_deliveries d
        set state = 'pending', due_at = now(), tries = 0, unfinished = 0, reason = null,
          ended_at = null, redrives = d.redrives + 1, resolved_at = now()
        from due where d.id = due.id
        returning d.id::text`,
    values: [...deadLetterValues(filter), limit],
  }
}
