import { createFetch } from '@oncekey/client'
import { createEngine, LONGEST_KEPT_MS, memoryLog, memoryStore } from '@oncekey/core'
import { backoff, consumer, createEventBus, createRelay, deadLetterAlerts } from '@oncekey/outbox'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { postgresLog, postgresStore, purge, transact } from '@oncekey/postgres'
import { redisLog, redisStore } from '@oncekey/redis'
import { createSagaRunner, saga, sagaOperator } from '@oncekey/saga'
import { receiveWebhook, verifyWebhook, webhooks } from '@oncekey/webhooks'
import { Redis } from 'ioredis'
import { Pool } from 'pg'

/** An option that is a length of time, and the values it accepts; it refuses all others. */
export interface DurationOption {
  /** The name as in `foundDurations`; several options of one type share a name. */
  readonly option: string
  takes(value: unknown): boolean
  /** Passes the value: at construction, or in the call that takes it. */
  give(value: number): unknown
}

/** A client without a server: a call that tries to use it has accepted the value. */
const client = new Pool({ host: '127.0.0.1', port: 1 })
const redis = new Redis({ lazyConnect: true, retryStrategy: () => null })
const store = memoryStore()
const log = memoryLog(store)
const handle = (): void => {}
const rabbit = {
  createPublisher: () => {
    throw new Error('Nothing is published here.')
  },
}
const flow = saga<null>('flow', { version: 1 }).step('one', { run: () => {} })
const runner = () => createSagaRunner({ client, sagas: [flow] })
const hooks = webhooks({ client })
const relay = () => createRelay({ log, consumers: [consumer({ name: 'a', handle })] })
const uuid = '018f4f4e-0000-7000-8000-000000000000'

const TIMER_MS = 2 ** 31 - 1
const HALF_MS = 2 ** 30 - 1

const whole = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most
const anyFrom = (least: number) => (value: unknown) => typeof value === 'number' && value >= least
const finiteFrom = (least: number) => (value: unknown) =>
  Number.isFinite(value) && (value as number) >= least
const both =
  (one: (value: unknown) => boolean, other: (value: unknown) => boolean) => (value: unknown) =>
    one(value) && other(value)

const row = (
  option: string,
  takes: DurationOption['takes'],
  give: DurationOption['give'],
): DurationOption => ({ option, takes, give })

const DAY_MS = 86_400_000
const fetchOptions = (name: string, least: number): DurationOption =>
  row(`client/src/options.ts: ${name}`, whole(least, TIMER_MS), (ms) => createFetch({ [name]: ms }))
const engine = (name: string, least: number): DurationOption =>
  row(`core/src/engine/options.ts: ${name}`, whole(least, HALF_MS), (ms) =>
    createEngine({ store, [name]: ms }),
  )
const relayOption = (name: string, least: number): DurationOption =>
  row(`outbox/src/relay/relay-options.ts: ${name}`, whole(least, HALF_MS), (ms) =>
    createRelay({
      log,
      consumers: [consumer({ name: 'a', handle })],
      ...(name === 'minPollMs' && { maxPollMs: HALF_MS }),
      ...(name === 'maxPollMs' && { minPollMs: 0 }),
      [name]: ms,
    }),
  )
const alerts = (name: string): DurationOption =>
  row(`outbox/src/dead-letters/dead-letter-alerts.ts: ${name}`, finiteFrom(0), (ms) =>
    deadLetterAlerts({ source: log.deadLetters, [name]: ms }),
  )
const sqlLog = (name: string, least: number, most = LONGEST_KEPT_MS): DurationOption =>
  row(`postgres/src/log/options.ts: ${name}`, whole(least, most), (ms) =>
    postgresLog({ client, [name]: ms }),
  )
const keyLog = (name: string, least: number, most = LONGEST_KEPT_MS): DurationOption =>
  row(`redis/src/log/state/options.ts: ${name}`, whole(least, most), (ms) =>
    redisLog({ client: redis, [name]: ms }),
  )
const sagas = (name: string, least: number): DurationOption =>
  row(`saga/src/state/runner-options.ts: ${name}`, whole(least, TIMER_MS), (ms) =>
    createSagaRunner({ client, sagas: [flow], [name]: ms }),
  )
const hookOption = (name: string, least: number): DurationOption =>
  row(`webhooks/src/options/options.ts: ${name}`, whole(least, LONGEST_KEPT_MS), (ms) =>
    webhooks({ client, [name]: ms }),
  )
const hookPurge = (name: string): DurationOption =>
  row(
    `webhooks/src/operator/purge-webhooks.ts: ${name}`,
    both(whole(0, LONGEST_KEPT_MS), (ms) =>
      name === 'messageRetentionMs' ? (ms as number) >= 7 * DAY_MS : true,
    ),
    (ms) => hooks.purge({ [name]: ms }),
  )

/** Every option of the workspace that is a length of time. */
export const durationOptions: readonly DurationOption[] = [
  fetchOptions('attemptTimeoutMs', 1),
  fetchOptions('deadlineMs', 1),
  fetchOptions('baseDelayMs', 0),
  fetchOptions('maxDelayMs', 0),
  fetchOptions('maxRetryAfterMs', 0),
  row('client/src/pending-keys.ts: expiresAfterMs', whole(1, Number.MAX_SAFE_INTEGER), (ms) =>
    createFetch({
      pending: {
        storage: { getItem: () => null, setItem: () => {}, removeItem: () => {} },
        expiresAfterMs: ms,
      },
    }),
  ),
  engine('waitMs', 0),
  engine('handlerTimeoutMs', 1),
  engine('leaseMs', 30),
  row('core/src/engine/engine.ts: deadlineMs', whole(0, HALF_MS), (ms) =>
    createEngine({ store }).drain({ deadlineMs: ms }),
  ),
  row(
    'core/src/memory/memory-store-options.ts: resultRetentionMs',
    both(finiteFrom(Number.MIN_VALUE), (ms) => (ms as number) <= 7 * DAY_MS),
    (ms) => memoryStore({ resultRetentionMs: ms }),
  ),
  row('core/src/memory/memory-store-options.ts: keyRetentionMs', finiteFrom(DAY_MS), (ms) =>
    memoryStore({ keyRetentionMs: ms }),
  ),
  row(
    'outbox/src/consumer/backoff.ts: baseMs',
    both(finiteFrom(1), (ms) => (ms as number) <= 300_000),
    (ms) => backoff({ baseMs: ms }),
  ),
  row('outbox/src/consumer/backoff.ts: capMs', finiteFrom(500), (ms) => backoff({ capMs: ms })),
  row('outbox/src/consumer/consumer.ts: attemptTimeoutMs', whole(1, TIMER_MS), (ms) =>
    consumer({ name: 'a', handle, attemptTimeoutMs: ms }),
  ),
  alerts('maxAgeMs'),
  alerts('maxLagMs'),
  alerts('maxHorizonMs'),
  alerts('repeatAfterMs'),
  alerts('everyMs'),
  row('outbox/src/publishers/publisher.ts: missingForMs', whole(0, LONGEST_KEPT_MS), (ms) =>
    rabbitmqPublisher({ name: 'a', connection: rabbit, exchange: '', missingForMs: ms }),
  ),
  row('outbox/src/event-bus.ts: timeoutMs', anyFrom(0), (ms) =>
    createEventBus({ log }).stop({ timeoutMs: ms }),
  ),
  relayOption('leaseMs', 30),
  relayOption('minPollMs', 0),
  relayOption('maxPollMs', 1),
  relayOption('advanceEveryMs', 0),
  relayOption('maintainEveryMs', 0),
  row('outbox/src/relay/relay.ts: timeoutMs', anyFrom(0), (ms) => relay().stop({ timeoutMs: ms })),
  row('postgres/src/log/transact.ts: timeoutMs', whole(1, LONGEST_KEPT_MS), (ms) =>
    transact(client, handle, { timeoutMs: ms }),
  ),
  sqlLog('timeoutMs', 1),
  sqlLog('retentionMs', 0, 6 * DAY_MS),
  sqlLog('inboxRetentionMs', 7 * DAY_MS),
  sqlLog('resolvedRetentionMs', 0),
  sqlLog('missingAfterMs', 1),
  sqlLog('abandonedAfterMs', 1),
  row('postgres/src/store/purge.ts: resultRetentionMs', whole(0, LONGEST_KEPT_MS), (ms) =>
    purge(client, { resultRetentionMs: ms }),
  ),
  row('postgres/src/store/purge.ts: keyRetentionMs', whole(0, LONGEST_KEPT_MS), (ms) =>
    purge(client, { resultRetentionMs: 0, keyRetentionMs: ms }),
  ),
  row('postgres/src/store/attempt/options.ts: acquireTimeoutMs', whole(1, TIMER_MS), (ms) =>
    postgresStore({ client, acquireTimeoutMs: ms }),
  ),
  row('postgres/src/store/attempt/options.ts: commitTimeoutMs', whole(1, TIMER_MS), (ms) =>
    postgresStore({ client, commitTimeoutMs: ms }),
  ),
  keyLog('commandTimeoutMs', 1, TIMER_MS),
  keyLog('retentionMs', 0),
  keyLog('emittedRetentionMs', 7 * DAY_MS),
  keyLog('resolvedRetentionMs', 0),
  keyLog('missingAfterMs', 1),
  keyLog('abandonedAfterMs', 1),
  row('redis/src/store/options.ts: commandTimeoutMs', whole(1, HALF_MS), (ms) =>
    redisStore({ client: redis, commandTimeoutMs: ms }),
  ),
  row(
    'redis/src/store/options.ts: resultRetentionMs',
    both(whole(1, LONGEST_KEPT_MS), (ms) => (ms as number) <= 7 * DAY_MS),
    (ms) => redisStore({ client: redis, resultRetentionMs: ms }),
  ),
  row('redis/src/store/options.ts: keyRetentionMs', whole(DAY_MS, LONGEST_KEPT_MS), (ms) =>
    redisStore({ client: redis, keyRetentionMs: ms }),
  ),
  row('redis/src/store/options.ts: replicas.timeoutMs', whole(1, Math.floor(HALF_MS / 2)), (ms) =>
    redisStore({
      client: redis,
      commandTimeoutMs: HALF_MS,
      replicas: { count: 1, timeoutMs: ms },
    }),
  ),
  row('saga/src/runner/execute.ts: waitMs', anyFrom(0), (ms) =>
    runner().execute(flow, { id: 'one', input: null, waitMs: ms }),
  ),
  sagas('leaseMs', 100),
  sagas('pollMs', 1),
  sagas('acquireTimeoutMs', 1),
  sagas('commitTimeoutMs', 1),
  row('saga/src/operator/saga-operator.ts: timeoutMs', whole(1, LONGEST_KEPT_MS), (ms) =>
    sagaOperator({ client, timeoutMs: ms }),
  ),
  row('saga/src/operator/saga-operator.ts: retentionMs', whole(0, LONGEST_KEPT_MS), (ms) =>
    sagaOperator({ client }).purge({ retentionMs: ms }),
  ),
  row('saga/src/runner/saga-runner.ts: retentionMs', whole(0, LONGEST_KEPT_MS), (ms) =>
    runner().purge({ retentionMs: ms }),
  ),
  row('saga/src/runner/saga-runner.ts: timeoutMs', anyFrom(0), (ms) =>
    runner().stop({ timeoutMs: ms }),
  ),
  row('saga/src/definition/step.ts: timeoutMs', whole(1, TIMER_MS), (ms) =>
    createSagaRunner({
      client,
      sagas: [saga<null>('a', { version: 1 }).step('b', { run: () => {}, timeoutMs: ms })],
    }),
  ),
  row('webhooks/src/endpoints/endpoint-secrets.ts: overlapMs', whole(0, LONGEST_KEPT_MS), (ms) =>
    hooks.endpoints.rotateSecret(uuid, { overlapMs: ms }),
  ),
  row('webhooks/src/options/options.ts: timeoutMs', whole(1, LONGEST_KEPT_MS - DAY_MS), (ms) =>
    webhooks({ client, timeoutMs: ms }),
  ),
  hookOption('maxRetryAfterMs', 0),
  hookOption('cooldownMs', 1),
  hookOption('maxCooldownMs', 1),
  hookOption('disableAfterMs', 1),
  hookPurge('retentionMs'),
  hookPurge('deadRetentionMs'),
  hookPurge('disabledRetentionMs'),
  hookPurge('messageRetentionMs'),
  row(
    'webhooks/src/receiving/receive-webhook.ts: toleranceSeconds',
    anyFrom(Number.MIN_VALUE),
    (seconds) =>
      receiveWebhook({
        secrets: ['whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0'],
        toleranceSeconds: seconds,
      }),
  ),
  row(
    'webhooks/src/signing/verify-webhook.ts: toleranceSeconds',
    anyFrom(Number.MIN_VALUE),
    (seconds) =>
      verifyWebhook({
        header: () => null,
        body: '',
        secrets: ['whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0'],
        toleranceSeconds: seconds,
      }),
  ),
  row('webhooks/src/delivery/worker-options.ts: leaseMs', whole(11_000, LONGEST_KEPT_MS), (ms) =>
    hooks.createWorker({ leaseMs: ms }),
  ),
  row('webhooks/src/delivery/worker-options.ts: pollMs', whole(1, LONGEST_KEPT_MS), (ms) =>
    hooks.createWorker({ pollMs: ms }),
  ),
  row('webhooks/src/delivery/worker.ts: timeoutMs', anyFrom(0), (ms) =>
    hooks.createWorker().stop({ timeoutMs: ms }),
  ),
]

/** Members whose name looks like a duration option although they are none, with the reason. */
export const noOptions: ReadonlyMap<string, string> = new Map([
  ['core/src/contracts/store.ts: handlerTimeoutMs', "the engine's, resolved"],
  ['core/src/engine/answer.ts: retryAfterMs', 'what an answer says'],
  ['core/src/engine/drain.ts: deadlineMs', 'that of `drain` in engine.ts, checked here'],
  ['core/src/engine/engine.ts: retryAfterMs', 'what an answer says'],
  ['core/src/response/problem.ts: retryAfterMs', 'what an answer says'],
  ['core/src/telemetry/trace.ts: durationMs', 'what was measured'],
  ['core/src/telemetry/traces.ts: claimMs', 'what was measured'],
  ['core/src/telemetry/traces.ts: completionMs', 'what was measured'],
  ['core/src/telemetry/traces.ts: handlerMs', 'what was measured'],
  ['core/src/time/unanswered-takes.ts: leaseMs', "the worker's, resolved"],
  ['nestjs/src/module/idempotency-module.ts: deadlineMs', 'handed on to the engine'],
  ['node/src/middleware/cover-request.ts: waitMs', "the engine's, resolved"],
  ['node/src/request/read-request.ts: waitMs', "the engine's, resolved"],
  ['redis/src/client/run-script.ts: insistMs', 'a constant of the store'],
  ['redis/src/log/dead/dead-letter.ts: dueAtMs', 'a time, from the server'],
  ['saga/src/run/move.ts: waitMs', 'what a backoff said, checked where it is asked'],
])
