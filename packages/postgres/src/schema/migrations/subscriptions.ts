import { isWanted } from '../functions/log/is-wanted.ts'
import { takeDue2 } from '../superseded/log/take-due-2.ts'

/**
 * Puts on record which types each release of a consumer takes: see `SubscriptionRecord` of
 * @oncekey/core.
 */
export function subscriptions(schema: string): string[] {
  return [
    // 'subscriptions' is JSON: the lists of types on record. It is written by compare and set.
    // 'wanted' is the union of these lists, as one text. Both are null as long as only releases
    // before this migration have opened the consumer.
    `alter table ${schema}.consumers add column subscriptions text, add column wanted text`,
    `alter table ${schema}.relays add column waiting boolean not null default false`,
    isWanted(schema),

    takeDue2(schema),
  ]
}
