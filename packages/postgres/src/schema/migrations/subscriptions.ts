import { isWanted } from '../functions/log/is-wanted.ts'
import { takeDue2 } from '../functions/log/take-due-2.ts'

/** What the releases of a consumer want, on record: see `SubscriptionRecord` of @oncekey/core. */
export function subscriptions(schema: string): string[] {
  return [
    // 'subscriptions' is JSON that is compared and set; 'wanted' the union of its lists, as one
    // text. Null of a consumer that only releases before this one have asked for.
    `alter table ${schema}.consumers add column subscriptions text, add column wanted text`,
    `alter table ${schema}.relays add column waiting boolean not null default false`,
    isWanted(schema),

    takeDue2(schema),
  ]
}
