import type { DeadLetterFilter } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import { deadLetterPredicate, deadLetterValues } from './dead-letter-predicate.ts'

export function countDeadLetters(
  schema: string,
  filter: DeadLetterFilter,
): Statement<{ count: string }> {
  return {
    name: 'count_dead_letters',
    text: `
      select count(*)::text as count
        from ${schema}.webhook_deliveries d
        join ${schema}.webhook_messages m on m.id = d.message_id
        where ${deadLetterPredicate}`,
    values: deadLetterValues(filter),
  }
}
