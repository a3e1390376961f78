import type { DeadLetterFilter } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { filterValues, isMeant } from './dead-letter-filter.ts'

export function countDead(schema: string, filter: DeadLetterFilter): Statement<{ count: string }> {
  return {
    name: 'count_dead',
    text: `select count(*)::text as count from ${schema}.deliveries d where ${isMeant}`,
    values: filterValues(filter),
  }
}
