import type { PGlite, Transaction } from '@electric-sql/pglite'
import { type Consumer, createRelay, deadLetters } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { standardWebhooks, type Webhooks, webhooks } from '@oncekey/webhooks'
import { Pool, type PoolClient } from 'pg'

type Equals<One, Other> =
  (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false
const isTrue = <_ extends true>(): void => {}

// On a pool, the consumer fits a log on that pool.
const pool = new Pool()
const hooks = webhooks({
  client: pool,
  customerOf: ({ headers }) => headers.customer,
  classify: standardWebhooks,
  schedule: [1_000, 60_000],
})
isTrue<Equals<typeof hooks, Webhooks<PoolClient>>>()
isTrue<Equals<typeof hooks.consumer, Consumer<PoolClient>>>()
createRelay({ log: postgresLog({ client: pool }), consumers: [hooks.consumer] })
deadLetters(hooks.deadLetters)

// On PGlite, the consumer fits a log on PGlite.
declare const db: PGlite
const embedded = webhooks({ client: fromPglite(db), schedule: (failures) => failures * 1_000 })
isTrue<Equals<typeof embedded.consumer, Consumer<Transaction>>>()

// @ts-expect-error `types` has no default
void hooks.endpoints.register({ url: 'https://hooks.example' })
// @ts-expect-error `classify` returns one of four classes
webhooks({ client: pool, classify: () => 'ok' })
