import { LONGEST_KEPT_MS, sleep } from '@oncekey/core'
import { purge } from '@oncekey/postgres'
import { migratedVersions } from '@oncekey/postgres/client'
import { CliError, usageError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import type { Given } from '../command/given.ts'
import { sagasOf } from '../connection/sagas.ts'
import { webhooksOf } from '../connection/webhooks.ts'

const KINDS = ['results', 'keys', 'webhooks', 'sagas'] as const
type Kind = (typeof KINDS)[number]

/** How long things are kept: of which kind they are, and the option's help. */
const RETENTIONS = {
  'result-retention': ['results', 'How long a response can be replayed. Default: 1d.'],
  'key-retention': ['keys', 'How long a key is remembered. Default: 7d.'],
  'delivery-retention': [
    'webhooks',
    'How long deliveries are kept that were delivered, discarded or ended. Default: 7d.',
  ],
  'dead-retention': ['webhooks', 'How long dead letters of webhooks are kept. Default: 30d.'],
  'disabled-retention': [
    'webhooks',
    'How long deliveries wait for a disabled endpoint. Default: 30d.',
  ],
  'message-retention': [
    'webhooks',
    'How long messages are kept, which mark events as fanned out. Default: 30d.',
  ],
  'run-retention': ['sagas', 'How long runs are kept that have ended. Default: 30d.'],
} as const satisfies Readonly<Record<string, readonly [Kind, string]>>

export const purgeCommand: Command = {
  path: 'purge',
  summary: 'Take away what has been kept long enough, in batches, until there is no more',
  details:
    'Stored responses, keys, deliveries of webhooks and runs of sagas; of events and dead letters the relay\n' +
    'takes care. Ctrl-C stops it between two batches. Nobody is asked. It knows only the times that are given\n' +
    'here, or their defaults: what an app keeps longer by its own calls of purge has to be named here, too,\n' +
    'or left out with --only.',
  server: 'postgres',
  endsItself: true,
  options: {
    only: {
      value: 'kind',
      many: true,
      choices: KINDS,
      help: 'Nothing but these; results are stored responses without their keys. Default: all.',
    },
    ...Object.fromEntries(
      Object.entries(RETENTIONS).map(([name, [, help]]) => [name, { value: 'time', help }]),
    ),
    pause: { value: 'time', help: 'Between two batches, for those who are served. Default: 50ms.' },
  },
  examples: [
    'purge',
    'purge --result-retention 12h --key-retention 30d',
    'purge --only results --result-retention 1h',
  ],
  run: runPurge,
}

async function runPurge(call: Call): Promise<ExitCode> {
  const { given, out, schema, signal } = call
  const kinds = kindsOf(given)
  const ofStore = storeRetentions(given, kinds)
  const ofWebhooks = webhookRetentions(given)
  const runRetentionMs = given.durationMs('run-retention')
  const pauseMs = given.durationMs('pause') ?? 50
  const versions = await migratedVersions(call.postgres(), { schema })
  const has = (kind: 'webhooks' | 'sagas') =>
    kinds.has(kind) && versions?.has(kind === 'sagas' ? 'saga' : kind)
  for (const kind of ['webhooks', 'sagas'] as const) {
    if (!given.list('only').includes(kind) || has(kind)) continue
    throw new CliError(ExitCode.found, `The schema ${schema} has no tables of ${kind}.`)
  }
  const counts = { results: 0, keys: 0, deliveries: 0, messages: 0, endpoints: 0, runs: 0 }

  if (ofStore !== undefined) {
    await inBatches(async () => {
      const batch = await purge(call.postgres(), { schema, ...ofStore })
      counts.results += batch.results
      counts.keys += batch.keys
      return batch.more
    })
  }
  if (has('webhooks')) {
    const webhooks = await webhooksOf(call)
    await inBatches(async () => {
      const batch = await webhooks.purge(ofWebhooks)
      counts.deliveries += batch.deliveries
      counts.messages += batch.messages
      counts.endpoints += batch.endpoints
      return batch.more
    })
  }
  if (has('sagas')) {
    const sagas = await sagasOf(call)
    const how = {
      limit: BATCH,
      ...(runRetentionMs !== undefined && { retentionMs: runRetentionMs }),
    }
    await inBatches(async () => {
      const count = await sagas.purge(how)
      counts.runs += count
      return count === BATCH
    })
  }
  await out.result({ ...counts, interrupted: signal.aborted }, (page) => {
    const { results, keys, deliveries, messages, endpoints, runs } = counts
    if (ofStore !== undefined) page.line`${results} responses and ${keys} keys`
    if (has('webhooks')) {
      page.line`${deliveries} deliveries, ${messages} messages and ${endpoints} endpoints of webhooks`
    }
    if (has('sagas')) page.line`${runs} runs of sagas`
    if (signal.aborted) page.line`Interrupted: there may be more.`
  })
  return signal.aborted ? ExitCode.interrupted : ExitCode.done

  async function inBatches(batch: () => Promise<boolean>): Promise<void> {
    while (!signal.aborted && (await batch())) {
      out.progress(`${Object.values(counts).reduce((sum, count) => sum + count, 0)} so far`)
      await sleep(pauseMs, signal)
    }
  }
}

/** The kinds that `--only` names; all without it. Refuses a time for a kind that it leaves out. */
function kindsOf(given: Given): ReadonlySet<Kind> {
  const only = given.list('only') as readonly Kind[]
  const kinds = new Set(only.length === 0 ? KINDS : only)
  for (const [name, [kind]] of Object.entries(RETENTIONS)) {
    if (!kinds.has(kind) && given.text(name) !== undefined) {
      throw usageError(`--${name} is about ${kind}, which --only leaves out.`)
    }
  }
  return kinds
}

/**
 * One call removes responses and keys. To remove only the former, keys are kept for the longest
 * time; to remove only the latter, responses as long as their keys.
 */
function storeRetentions(given: Given, kinds: ReadonlySet<Kind>) {
  const [results, keys] = [given.durationMs('result-retention'), given.durationMs('key-retention')]
  const resultRetentionMs = results ?? DAY_MS
  const keyRetentionMs = keys ?? Math.max(7 * DAY_MS, resultRetentionMs)
  if (kinds.has('results') && kinds.has('keys') && keyRetentionMs < resultRetentionMs) {
    throw usageError('--key-retention cannot be shorter than --result-retention.')
  }
  if (kinds.has('results')) {
    return {
      resultRetentionMs,
      keyRetentionMs: kinds.has('keys') ? keyRetentionMs : LONGEST_KEPT_MS,
    }
  }
  return kinds.has('keys') ? { resultRetentionMs: keyRetentionMs, keyRetentionMs } : undefined
}

function webhookRetentions(given: Given) {
  const retentionMs = given.durationMs('delivery-retention')
  const deadRetentionMs = given.durationMs('dead-retention')
  const disabledRetentionMs = given.durationMs('disabled-retention')
  const messageRetentionMs = given.durationMs('message-retention')
  if (messageRetentionMs !== undefined && messageRetentionMs < (retentionMs ?? 7 * DAY_MS)) {
    throw usageError('--message-retention cannot be shorter than --delivery-retention.')
  }
  return {
    ...(retentionMs !== undefined && { retentionMs }),
    ...(deadRetentionMs !== undefined && { deadRetentionMs }),
    ...(disabledRetentionMs !== undefined && { disabledRetentionMs }),
    ...(messageRetentionMs !== undefined && { messageRetentionMs }),
  }
}

const BATCH = 1_000
const DAY_MS = 86_400_000
