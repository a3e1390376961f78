import { sleep } from '@oncekey/core'
import { purge } from '@oncekey/postgres'
import { migratedVersions } from '@oncekey/postgres/client'
import { usageError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import { sagasOf } from '../connection/sagas.ts'
import { webhooksOf } from '../connection/webhooks.ts'

export const purgeCommand: Command = {
  path: 'purge',
  summary: 'Take away what has been kept long enough, in batches, until there is no more',
  details:
    'Stored responses, keys, deliveries of webhooks and runs of sagas; of events and dead letters the relay\n' +
    'takes care. Ctrl-C stops it between two batches. Nobody is asked: what goes was to be kept so long.',
  server: 'postgres',
  endsItself: true,
  options: {
    'result-retention': {
      value: 'time',
      help: 'How long a response can be replayed. Default: 1d.',
    },
    'key-retention': { value: 'time', help: 'How long a key is remembered. Default: 7d.' },
    pause: { value: 'time', help: 'Between two batches, for those who are served. Default: 50ms.' },
  },
  examples: ['purge', 'purge --result-retention 12h --key-retention 30d'],
  run: runPurge,
}

async function runPurge(call: Call): Promise<ExitCode> {
  const { given, out, schema, signal } = call
  const resultRetentionMs = given.durationMs('result-retention') ?? 86_400_000
  const keyRetentionMs =
    given.durationMs('key-retention') ?? Math.max(7 * 86_400_000, resultRetentionMs)
  if (keyRetentionMs < resultRetentionMs) {
    throw usageError('--key-retention cannot be shorter than --result-retention.')
  }
  const pauseMs = given.durationMs('pause') ?? 50
  const versions = await migratedVersions(call.postgres(), { schema })
  const counts = { results: 0, keys: 0, deliveries: 0, messages: 0, endpoints: 0, runs: 0 }

  await inBatches(async () => {
    const options = { schema, resultRetentionMs, keyRetentionMs }
    const batch = await purge(call.postgres(), options)
    counts.results += batch.results
    counts.keys += batch.keys
    return batch.more
  })
  if (versions?.has('webhooks')) {
    const webhooks = await webhooksOf(call)
    await inBatches(async () => {
      const batch = await webhooks.purge()
      counts.deliveries += batch.deliveries
      counts.messages += batch.messages
      counts.endpoints += batch.endpoints
      return batch.more
    })
  }
  if (versions?.has('saga')) {
    const sagas = await sagasOf(call)
    await inBatches(async () => {
      const count = await sagas.purge({ limit: BATCH })
      counts.runs += count
      return count === BATCH
    })
  }
  await out.result({ ...counts, interrupted: signal.aborted }, (page) => {
    const { results, keys, deliveries, messages, endpoints, runs } = counts
    page.line`${results} responses and ${keys} keys`
    if (versions?.has('webhooks')) {
      page.line`${deliveries} deliveries, ${messages} messages and ${endpoints} endpoints of webhooks`
    }
    if (versions?.has('saga')) page.line`${runs} runs of sagas`
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

const BATCH = 1_000
