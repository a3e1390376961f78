import { LONGEST_TIMER_MS } from '@oncekey/core'
import type { Pool } from 'pg'
import { actOf } from './act/actor.ts'
import { confirmed } from './act/confirm.ts'
import { usageError } from './command/cli-error.ts'
import type { Call, Command } from './command/command.ts'
import { optionsOf } from './command/common-options.ts'
import { ExitCode } from './command/exit-code.ts'
import type { Given } from './command/given.ts'
import { helpOf, overview } from './command/help.ts'
import { interruption } from './command/interruption.ts'
import { findCommand, parse } from './command/parse.ts'
import { sentenceOf } from './command/sentence.ts'
import { commands } from './commands.ts'
import { dashboardAddress } from './connection/dashboard.ts'
import { openPostgres } from './connection/postgres.ts'
import { lastError, openRedis, type RedisConnection } from './connection/redis.ts'
import {
  POSTGRES_URL,
  REDIS_URL,
  type ServerUrl,
  serverUrl,
  withoutPasswords,
} from './connection/server-url.ts'
import { output } from './output/out.ts'
import { visible } from './output/visible.ts'
import { dashboardApi } from './remote/api.ts'
import { version } from './version.ts'

/**
 * Runs the command line that the arguments are, in this process, and ends the process: see {@link
 * ExitCode}.
 *
 * @example
 * ```ts
 * await main(['keys', 'list', '--state', 'unknown', '--json'])
 * ```
 */
export async function main(args: readonly string[]): Promise<void> {
  // The reader, such as `| head`, has closed the pipe.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? ExitCode.done : ExitCode.found)
    })
  }
  tellWarnings(args.includes('--debug'))
  process.on('uncaughtException', (error) => {
    const text = args.includes('--debug') ? stackOf(error) : visible(error.message)
    process.stderr.write(`oncekey: ${withoutPasswords(text, [])}\n`)
    process.exit(ExitCode.found)
  })
  process.exit(await exitCodeOf(args))
}

/**
 * Prints warnings of our packages as errors are printed. Warnings of Node itself are printed only
 * with `--debug`.
 */
function tellWarnings(isDebug: boolean): void {
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (!isDebug && /^(Deprecation|Experimental)Warning$/.test(warning.name)) return
    const text = withoutPasswords(warning.message, [])
    process.stderr.write(`oncekey: Warning: ${visible(text)}\n`)
  })
}

async function exitCodeOf(args: readonly string[]): Promise<ExitCode> {
  const found = findCommand(commands, args)
  if (found === undefined) return await withoutVerb(args)
  const { command, rest } = found
  const interrupted = interruption(command)
  const opened = connections()
  try {
    const given = parse(command, rest)
    if (given.flag('help')) {
      await print(helpOf(command))
      return ExitCode.done
    }
    const running = command.run(callOf(command, given, opened, interrupted))
    return await Promise.race([running, interrupted.exitCode])
  } catch (error) {
    const isInterrupted = interrupted.signal.aborted
    if (isInterrupted && error === interrupted.signal.reason) {
      if (command.act !== undefined) interrupted.tell('Interrupted: nothing was changed.')
      return ExitCode.interrupted
    }
    if (isInterrupted && (command.act === undefined || interrupted.asking.now)) {
      return ExitCode.interrupted
    }
    const sentence = sentenceOf(opened.explained(error), opened.names)
    const { text } = sentence
    const exitCode = isInterrupted ? ExitCode.interrupted : sentence.exitCode
    if (isInterrupted) interrupted.tellLeft()
    const secrets = opened.urls()
    process.stderr.write(`oncekey: ${visible(withoutPasswords(text, secrets))}\n`)
    if (exitCode === ExitCode.unreachable) interrupted.tellUnanswered()
    if (rest.includes('--debug')) {
      process.stderr.write(`${withoutPasswords(stackOf(error), secrets)}\n`)
    }
    return exitCode
  } finally {
    interrupted.end()
    await opened.close()
  }
}

async function withoutVerb(args: readonly string[]): Promise<ExitCode> {
  const [first, second] = args
  if (first === '--version' || first === '-v' || first === 'version') {
    await print(`${version()}\n`)
    return ExitCode.done
  }
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const asked = first === 'help' ? findCommand(commands, args.slice(1)) : undefined
    await print(asked === undefined ? overview(commands) : helpOf(asked.command))
    return first === undefined ? ExitCode.usage : ExitCode.done
  }
  if (commands.some(({ path }) => path.startsWith(`${first} `))) {
    await print(overview(commands, first))
    if (second === '--help' || second === '-h') return ExitCode.done
    const what = second === undefined ? `${first} needs a verb` : `${first} has no "${second}"`
    process.stderr.write(`oncekey: ${visible(what)}: take one of those above.\n`)
    return ExitCode.usage
  }
  if (first.startsWith('-')) {
    process.stderr.write('oncekey: The verb comes first: oncekey doctor --json, for example.\n')
    return ExitCode.usage
  }
  process.stderr.write(
    `oncekey: There is no verb "${visible(first)}": oncekey --help shows what there is.\n`,
  )
  return ExitCode.usage
}

function callOf(
  command: Command,
  given: Given,
  opened: ReturnType<typeof connections>,
  { signal, asking, leaves }: ReturnType<typeof interruption>,
): Call {
  const has = (name: string) => name in optionsOf(command)
  const textOf = (name: string) => (has(name) ? given.text(name) : undefined)
  const postgresText = textOf('database') ?? (has('database') ? envOf('DATABASE_URL') : undefined)
  const redisText = textOf('redis') ?? (has('redis') ? envOf('REDIS_URL') : undefined)
  const timeoutMs = (has('timeout') ? given.durationMs('timeout') : undefined) ?? 10_000
  if (timeoutMs < 1 || timeoutMs > LONGEST_TIMER_MS) {
    throw usageError('--timeout must be longer than nothing and at most 24 days, such as 10s.')
  }
  const { stdout, stderr, stdin } = process
  const hasColour =
    stdout.isTTY === true && !given.flag('no-color') && envOf('NO_COLOR') === undefined

  opened.postgresText = postgresText
  opened.redisText = redisText
  const isServerNamed = textOf('database') !== undefined || textOf('redis') !== undefined
  const dashboardText =
    textOf('url') ?? (has('url') && !isServerNamed ? envOf('ONCEKEY_URL') : undefined)
  let recordedActor: string | undefined
  return {
    given,
    signal,
    schema: textOf('schema') ?? 'oncekey',
    out: output({
      stdout,
      stderr,
      isJson: given.flag('json'),
      style: {
        colour: hasColour && envOf('TERM') !== 'dumb',
        columns: stdout.isTTY ? stdout.columns : undefined,
      },
    }),
    postgres() {
      if (postgresText === undefined) {
        throw usageError(
          `No database is named: write --database ${POSTGRES_URL.example}, or set DATABASE_URL.`,
        )
      }
      const from = textOf('database') === undefined ? 'DATABASE_URL' : '--database'
      return opened.postgres(serverUrl(postgresText, from, POSTGRES_URL), timeoutMs)
    },
    redis() {
      if (redisText === undefined) {
        throw usageError(`No Redis is named: write --redis ${REDIS_URL.example}, or set REDIS_URL.`)
      }
      const from = textOf('redis') === undefined ? 'REDIS_URL' : '--redis'
      return opened.redis(serverUrl(redisText, from, REDIS_URL), timeoutMs)
    },
    dashboard() {
      if (dashboardText === undefined) return undefined
      if (isServerNamed) {
        throw usageError('--url is asked instead of a server: leave out --database and --redis.')
      }
      const token = { option: textOf('token'), env: envOf('ONCEKEY_TOKEN') }
      return dashboardApi({
        address: dashboardAddress(dashboardText, token),
        timeoutMs,
        onActed: (actor) => {
          recordedActor = actor
        },
      })
    },
    server() {
      // An option of the command line takes precedence over the environment.
      if (textOf('redis') !== undefined && textOf('database') === undefined) return 'redis'
      if (postgresText !== undefined) return 'postgres'
      if (redisText !== undefined) return 'redis'
      throw usageError(
        'No server is named: write --database <url> or --redis <url>, or set DATABASE_URL or REDIS_URL.',
      )
    },
    names: opened.names,
    leaves,
    act() {
      if (dashboardText !== undefined && textOf('actor') !== undefined) {
        throw usageError(
          '--actor is not sent to a dashboard: its `authorize` says by the token who acts.',
        )
      }
      return actOf(given)
    },
    onRecord() {
      const act = actOf(given)
      return dashboardText === undefined ? act : { actor: recordedActor, note: act.note }
    },
    confirm: async (what, word) => {
      signal.throwIfAborted()
      if (given.flag('yes')) return
      asking.now = true
      await confirmed(what, word, { stdin, stderr, signal })
      asking.now = false
    },
    readStdin: async () => {
      const chunks: Buffer[] = []
      for await (const chunk of stdin) chunks.push(Buffer.from(chunk))
      return Buffer.concat(chunks)
    },
  }
}

/** The connections that were opened, and how error messages name them. */
function connections() {
  const names: { postgres: string | undefined; redis: string | undefined } = {
    postgres: undefined,
    redis: undefined,
  }
  let pool: Pool | undefined
  let redis: RedisConnection | undefined
  const opened = {
    names,
    postgresText: undefined as string | undefined,
    redisText: undefined as string | undefined,
    urls: () => [opened.postgresText, opened.redisText],
    postgres(url: ServerUrl, timeoutMs: number): Pool {
      names.postgres = url.name
      pool ??= openPostgres(url, timeoutMs)
      return pool
    },
    redis(url: ServerUrl, timeoutMs: number): RedisConnection {
      names.redis = url.name
      redis ??= openRedis(url, timeoutMs)
      return redis
    },
    /**
     * Adds to an error the reason why the connection to Redis was closed, because the errors of
     * commands do not contain it.
     */
    explained(error: unknown): unknown {
      const cause = redis && lastError(redis)
      if (cause === undefined || !(error instanceof Error)) return error
      return Object.assign(new Error(`redis: ${error.message}`), { cause })
    },
    async close(): Promise<void> {
      redis?.disconnect()
      const patience = new Promise<void>((resolve) => setTimeout(resolve, 1_000).unref())
      await Promise.race([pool?.end().catch(() => {}), patience])
    },
  }
  return opened
}

function envOf(name: string): string | undefined {
  const value = process.env[name]
  return value === '' ? undefined : value
}

function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()))
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
