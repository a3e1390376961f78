import { isWanted } from '../functions/log/is-wanted.ts'
import { takeDue2 } from '../functions/log/take-due-2.ts'

/** What the releases of a consumer want, on record: see `SubscriptionRecord` of @oncekey/core. */
export function subscriptions(schema: string): string[] {
  return [
    // 'subscriptions' is JSON: the lists of types on record, written only if it is still what the
    // writer has read. 'wanted' is the union of these lists, as one text. Both are null as long as
    // only releases before this migration have opened the consumer.
    `alter table ${schema}.consumers add column subscriptions text, add column wanted text`,
    `alter table ${schema}.relays add column waiting boolean not null default false`,
    isWanted(schema),

    takeDue2(schema),
  ]
}
