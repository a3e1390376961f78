import {
  type ActResult,
  type HeaderChange,
  type KeyName,
  type KeyState,
  type Keys,
  type StoredResponse,
  sealedKeys,
} from '@oncekey/core'
import { CliError, usageError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { PAGE } from '../command/common-options.ts'
import { ExitCode } from '../command/exit-code.ts'
import { contentOf } from '../command/given-file.ts'
import type { Option } from '../command/option.ts'
import { pageOf, tellNext } from '../command/paging.ts'
import { SEAL_KEY_FILE, sealKeysIn } from '../connection/seal-keys.ts'
import { storeOf } from '../connection/store.ts'
import { documentOf, keyRow, showKey } from './shown-key.ts'

const states = ['running', 'unknown', 'finished', 'result-gone'] as const

const NAME: Readonly<Record<string, Option>> = {
  scope: {
    value: 'scope',
    help: "What your `scope` function returned; required, '' where it is shared.",
  },
  namespace: { value: 'name', help: 'The namespace of the engine. Default: http.' },
}

export const keysCommands: readonly Command[] = [
  {
    path: 'keys get',
    summary: 'Show what is known of a key',
    server: 'postgres-or-redis',
    viaDashboard: true,
    operands: [{ name: 'key' }],
    options: {
      ...NAME,
      ...SEAL_KEY_FILE,
      body: { help: 'Show the body of the stored response, too.' },
    },
    examples: ['keys get b51d0a30 --scope customer-7 --body'],
    run: getKey,
  },
  {
    path: 'keys list',
    summary: 'List keys, by scope or by time',
    details:
      'With --scope in the order of the keys. Without: keys under way first, the longest waiting at the\n' +
      'head, then finished ones, the newest first. A page may be short and still have one behind it.',
    server: 'postgres-or-redis',
    viaDashboard: true,
    options: {
      state: { value: 'state', choices: states, help: 'Only these.' },
      scope: { value: 'scope', help: 'Only of this scope.' },
      prefix: { value: 'text', help: 'Only keys that begin so; with --scope.' },
      namespace: {
        value: 'name',
        help: 'Only of this namespace. With --scope it is http by default.',
      },
      ...PAGE,
    },
    examples: ['keys list --state unknown', 'keys list --scope customer-7 --prefix order-'],
    run: listKeys,
  },
  {
    path: 'keys release',
    summary: 'Free a key whose outcome is unknown: the next request runs the handler',
    details:
      'Make sure first that the attempt did nothing outside, or nothing that would be done twice.',
    server: 'postgres-or-redis',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'key' }],
    options: NAME,
    examples: [
      "keys release b51d0a30 --scope customer-7 --note 'the gateway never saw the charge' --yes",
    ],
    run: releaseKey,
  },
  {
    path: 'keys answer',
    summary: 'Finish a key whose outcome is unknown with a response: the next request gets it',
    details:
      'Where the engine seals responses, give the same keys with --seal-key-file: without them the response\n' +
      'is stored in the clear, and the retry is refused with seal-broken. A dashboard has its own.',
    server: 'postgres-or-redis',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'key' }],
    options: {
      ...NAME,
      ...SEAL_KEY_FILE,
      status: { value: 'code', help: 'Its status; required.' },
      header: { value: 'line', many: true, help: "A header: 'content-type: application/json'." },
      body: { value: 'text', help: 'Its body. Default: empty.' },
      'body-file': { value: 'path', help: 'Its body, from a file; - for stdin.' },
    },
    examples: [
      "keys answer b51d0a30 --scope customer-7 --status 201 --header 'content-type: application/json' --body '{\"id\":1}' --note 'charged, ticket 4711' --yes",
    ],
    run: answerKey,
  },
  {
    path: 'keys forget',
    summary: 'Forget a finished key: the next request runs the handler again',
    server: 'postgres-or-redis',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'key' }],
    options: {
      ...NAME,
      fingerprint: {
        value: 'text',
        help: 'As keys get shows it, to confirm which request is meant; required.',
      },
    },
    examples: [
      "keys forget b51d0a30 --scope customer-7 --fingerprint 5f2c… --note 'wrong price, refunded' --yes",
    ],
    run: forgetKey,
  },
]

async function getKey(call: Call): Promise<ExitCode> {
  const name = nameOf(call)
  const withBody = call.given.flag('body')
  const keys = await openingKeys(call)
  const found = await keys.get(name, { body: withBody })
  if (found === undefined) {
    throw new CliError(
      ExitCode.found,
      `Nothing is known of key ${shownName(name)}: a request with it would run. Scope and namespace have to be right, too.`,
    )
  }
  await call.out.result(documentOf(found), (page) => showKey(page, found, withBody))
  return ExitCode.done
}

async function listKeys(call: Call): Promise<ExitCode> {
  const { given, out } = call
  const [scope, prefix, state] = [given.text('scope'), given.text('prefix'), given.text('state')]
  if (prefix !== undefined && scope === undefined) {
    throw usageError('--prefix is looked for within a scope: write --scope beside it.')
  }
  const namespace = given.text('namespace') ?? (scope === undefined ? undefined : 'http')
  const { keys } = await storeOf(call)
  const filter = {
    ...(namespace !== undefined && { namespace }),
    ...(scope !== undefined && { scope }),
    ...(prefix !== undefined && { keyPrefix: prefix }),
    ...(state !== undefined && { state: state as KeyState }),
  }
  const page = await keys.list(filter, pageOf(given))
  await out.result(page, (text) => {
    if (page.items.length === 0) {
      text.line`${page.next === undefined ? 'There are no such keys.' : 'None among those that this page looked at.'}`
    } else {
      text.table(['state', 'status', 'since', 'namespace', 'scope', 'key'], page.items.map(keyRow))
    }
    tellNext(text, page.next)
  })
  return ExitCode.done
}

async function releaseKey(call: Call): Promise<ExitCode> {
  const [name, act] = [nameOf(call), call.act()]
  const { keys } = await storeOf(call)
  await call.confirm(
    `Key ${shownName(name)} becomes free: the next request with it runs the handler.`,
    name.key,
  )
  return await told(call, name, 'released', await keys.release(name, act))
}

async function answerKey(call: Call): Promise<ExitCode> {
  const [name, act] = [nameOf(call), call.act()]
  const response = await responseOf(call)
  const keys = await openingKeys(call)
  await call.confirm(
    `Key ${shownName(name)} is finished with this response: the next request gets a ${response.status}.`,
    name.key,
  )
  return await told(call, name, 'answered', await keys.answer(name, response, act))
}

async function forgetKey(call: Call): Promise<ExitCode> {
  const [name, act] = [nameOf(call), call.act()]
  const fingerprint = call.given.required('fingerprint')
  const { keys } = await storeOf(call)
  await call.confirm(
    `Key ${shownName(name)} is forgotten: the next request with it runs the handler again.`,
    name.key,
  )
  return await told(call, name, 'forgotten', await keys.forget({ ...name, fingerprint }, act))
}

/** The keys of the store. With `--seal-key-file`, sealed bodies are opened and new ones sealed. */
async function openingKeys(call: Call): Promise<Keys> {
  const path = call.given.text('seal-key-file')
  if (path !== undefined && call.dashboard() !== undefined) {
    throw usageError('--seal-key-file is for a server; a dashboard opens and seals with its own.')
  }
  const { keys } = await storeOf(call)
  return path === undefined ? keys : sealedKeys(keys, await sealKeysIn(path))
}

async function told(
  { out }: Call,
  name: KeyName,
  done: string,
  result: ActResult,
): Promise<ExitCode> {
  const isDone = result === 'done'
  if (!isDone && !out.isJson) throw new CliError(ExitCode.found, REFUSED[result](shownName(name)))
  await out.result({ ...name, result }, (page) => page.line`Key ${shownName(name)}: ${done}.`)
  return isDone ? ExitCode.done : ExitCode.found
}

const REFUSED: Readonly<Record<Exclude<ActResult, 'done'>, (name: string) => string>> = {
  absent: (name) =>
    `Nothing is known of key ${name}: nothing was changed, and a request would run.`,
  'other-request': (name) =>
    `Key ${name} has another fingerprint: nothing was changed. See oncekey keys get.`,
  running: (name) =>
    `An attempt may still be running under key ${name}: nothing was changed. Try again when it has ended.`,
  unknown: (name) =>
    `The outcome of key ${name} is unknown: nothing was changed. Use keys release or keys answer.`,
  finished: (name) =>
    `Key ${name} is finished, a retry gets its response: nothing was changed. Use keys forget to run it again.`,
  'result-gone': (name) =>
    `Key ${name} is finished and its response is not kept: nothing was changed. Use keys forget to run it again.`,
}

function nameOf({ given }: Call): KeyName {
  const scope = given.text('scope')
  if (scope === undefined) {
    throw usageError(
      "--scope is missing: write what your `scope` function returns, or --scope '' where all share one.",
    )
  }
  return { namespace: given.text('namespace') ?? 'http', scope, key: given.operand('key') }
}

const shownName = ({ namespace, scope, key }: KeyName): string =>
  `"${key}" of scope "${scope}"${namespace === 'http' ? '' : ` in ${namespace}`}`

async function responseOf(call: Call): Promise<StoredResponse> {
  const { given } = call
  given.required('status')
  const status = given.whole('status', 200, 599) as number
  const [text, path] = [given.text('body'), given.text('body-file')]
  if (text !== undefined && path !== undefined) {
    throw usageError('--body and --body-file are two bodies: write one of them.')
  }
  const headers = given.list('header').map(headerOf)
  const body =
    path === undefined ? Buffer.from(text ?? '') : await contentOf(call, 'body-file', path)
  return { status, headers, body, seal: null }
}

function headerOf(line: string): HeaderChange {
  const [, name, value] = line.match(/^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/) ?? []
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (name !== undefined && value !== undefined && !/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) {
    return [name.toLowerCase(), value]
  }
  throw usageError(`--header must be a line such as 'content-type: application/json'.`)
}
