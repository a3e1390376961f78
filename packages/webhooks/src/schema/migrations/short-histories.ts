import { settleInShortHistory } from '../functions/settle-webhooks-6.ts'

/**
 * What fails on our side leaves one entry in the history of a delivery, however often it repeats.
 */
export function shortHistories(schema: string): string[] {
  return [
    `alter table ${schema}.webhook_attempts add column unsent boolean not null default false`,
    `comment on column ${schema}.webhook_attempts.unsent is
      'Whether nothing was sent, because of a fault on our side.'`,
    settleInShortHistory(schema),
  ]
}
