// A relay with all consumers of one release. It stops gracefully on SIGTERM.
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstream as brokerOf } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { type Consumer, consumer, createRelay, type DeliveredEvent } from '@oncekey/outbox'
import { natsPublisher } from '@oncekey/outbox/nats'
import type { Pool, PoolClient } from 'pg'
import { limits } from '../../limits.ts'
import { SUBJECT } from '../broker.ts'
import { type ConsumerPlan, consumersOn, followUp } from '../consumed.ts'
import { noteTaken } from '../delivery-ledger.ts'
import { openLog } from '../open-log.ts'
import { campaignWebhooks } from '../webhooks.ts'
import { brokenLog } from './broken-relay.ts'
import type { RelayProcessOptions } from './relay-options.ts'

const options: RelayProcessOptions = JSON.parse(process.argv[2] ?? '')
const { name: relayName, release, store, database, ledger, broken, broker } = options
const { log, pool } = openLog(store, database)
const plans = consumersOn(store)
const connection = await connect({
  servers: broker,
  // A relay may start while its broker is away.
  waitOnFirstConnect: true,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 100,
})
const typesOf = ({ types }: ConsumerPlan): readonly string[] | null => types?.[release] ?? null

const relay = createRelay<PoolClient>({
  log: brokenLog(broken, log, pool, new Map(plans.map((plan) => [plan.name, typesOf(plan)]))),
  leaseMs: limits.relayLeaseMs,
  // Many events share a page and a cursor write, because here it must be visible and need not be
  // fast.
  minPollMs: 50,
  maxPollMs: 400,
  advanceEveryMs: 200,
  consumers: plans.map(consumerOf),
})
relay.start()
process.once('SIGTERM', async () => {
  await relay.stop({ timeoutMs: 2_000 })
  process.exit(0)
})
console.log(JSON.stringify({ ready: true }))

function consumerOf(plan: ConsumerPlan): Consumer<PoolClient> {
  if (plan.by === 'webhooks') return campaignWebhooks(pool as Pool).consumer
  const types = typesOf(plan)
  const settings = {
    name: plan.name,
    ...(types !== null && { types }),
    attemptTimeoutMs: limits.attemptTimeoutMs,
    // Not higher than the number of transactions: an attempt that gets no transaction in time fails
    // and has to be repeated.
    concurrency: plan.concurrency,
    // No event may become a dead letter, because every fault is mended again.
    maxAttempts: 1_000_000,
    maxStarts: 1_000_000,
    backoff: () => 20 + Math.random() * 200,
  }
  if (plan.by === 'nats') {
    return natsPublisher({
      ...settings,
      ordered: plan.ordered,
      jetstream: brokerOf(connection),
      subject: ({ type }) => `${SUBJECT}.${type}`,
    })
  }
  if (plan.batch) return inBatches(settings)
  return consumer<PoolClient>({
    ...settings,
    ordered: plan.ordered,
    async handle({ event, transaction, emit }) {
      const tx = plan.by === 'inbox' ? await transaction() : undefined
      if (tx !== undefined) await takeEffect(plan.name, event, tx)
      const next = plan.name === 'inbox' ? followUp(event.type) : undefined
      if (next !== undefined) emit({ type: next, subject: event.id, data: { mark: event.id } })
      await misbehave()
      if (tx === undefined)
        noteTaken(ledger, [{ consumer: plan.name, id: event.id, relay: relayName }])
    },
  })
}

function inBatches(
  settings: Omit<Parameters<typeof consumer>[0], 'handle' | 'handleBatch'>,
): Consumer<PoolClient> {
  return consumer<PoolClient>({
    ...settings,
    batchSize: 20,
    async handleBatch({ begin }) {
      const { transaction, fresh } = await begin()
      for (const event of fresh) await takeEffect(settings.name, event, transaction)
      await misbehave()
    },
  })
}

/** An effect is a row; no constraint keeps it from being there twice. */
async function takeEffect(name: string, event: DeliveredEvent, tx: PoolClient): Promise<void> {
  const through = broken === 'inbox-beside' && pool !== undefined ? pool : tx
  await through.query(
    'insert into effects (key, receipt, consumer) values ($1, gen_random_uuid(), $2)',
    [event.id, name],
  )
}

/** Handlers fail, throw values that are not errors, hang until their time is over, and are slow. */
async function misbehave(): Promise<void> {
  const chance = Math.random() * 1_000
  if (chance < 12) throw new Error('This consumer fails now and then.')
  if (chance < 16) throw 'no error, but thrown'
  if (chance < 20) throw undefined
  if (chance < 20.3) await new Promise(() => {})
  if (chance < 35) await sleep(Math.random() * 100)
}
