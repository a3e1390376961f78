import { CliError, NotShown, usageError } from '../command/cli-error.ts'
import type { DashboardAddress, DashboardApi, Fields } from '../command/dashboard-api.ts'
import { ExitCode } from '../command/exit-code.ts'

/**
 * Sends verbs to a dashboard instead of a database, with credentials that the dashboard's
 * `authorize` knows. The actor of an act is the one that `authorize` returns for them; `onActed` is
 * told of it.
 */
export function dashboardApi(of: {
  readonly address: DashboardAddress
  readonly timeoutMs: number
  onActed(actor: string): void
}): DashboardApi {
  const base = new URL('api/v1/', of.address.href)
  const { authorization } = of.address

  async function ask(
    path: string,
    init: RequestInit,
  ): Promise<{ readonly response: Response; readonly text: string }> {
    const headers = new Headers(init.headers)
    headers.set('accept', 'application/json')
    if (authorization !== undefined) headers.set('authorization', authorization)
    const signal = AbortSignal.timeout(of.timeoutMs)
    try {
      const asked = { ...init, headers, signal, redirect: 'manual' } as const
      const response = await fetch(new URL(path, base), asked)
      return { response, text: await response.text() }
    } catch (error) {
      const cause = (error as { cause?: unknown }).cause ?? error
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new CliError(
        ExitCode.unreachable,
        `The dashboard at ${base.host} does not answer: ${why}`,
      )
    }
  }

  async function answer(path: string, init: RequestInit): Promise<Answer> {
    const { response, text } = await ask(path, init)
    const { ok, status } = response
    const data = isJson(response) ? parsed(text) : undefined
    if (init.method === 'POST' && status >= 500 && status !== 501) throw unanswered(status, data)
    if (typeof data !== 'object' || data === null) {
      throw new CliError(
        ExitCode.found,
        `${base.href} answers ${status} without JSON: is that where the dashboard is, and is --token right?`,
      )
    }
    if (ok) return { data }
    const { error, code } = data as { readonly error?: unknown; readonly code?: unknown }
    const why = typeof error === 'string' ? error : text.slice(0, 500)
    if (status === 400) throw usageError(why)
    if (status !== 404) throw new CliError(ExitCode.found, why)
    if (code === 'absent') return { absent: why }
    const [page] = path.split('?')
    if (code === 'not-shown') throw new NotShown(`The dashboard does not show ${page}: ${why}`)
    throw new CliError(
      ExitCode.found,
      `${base.href} answers 404 for ${page}, and not as a dashboard of this release does: is that where it is? It says: ${why}`,
    )
  }

  async function got<Data>(path: string, init: RequestInit): Promise<Data> {
    const found = await answer(path, init)
    if ('absent' in found) throw new CliError(ExitCode.found, found.absent)
    return found.data as Data
  }

  return {
    get: (path, parameters) => got(`${path}?${query(parameters)}`, {}),

    async find<Data>(path: string, parameters: Fields) {
      const found = await answer(`${path}?${query(parameters)}`, {})
      return 'absent' in found ? undefined : (found.data as Data)
    },

    async post<Data>(path: string, fields: Fields) {
      const body = JSON.stringify(filledIn(fields))
      const headers = { 'content-type': 'application/json' }
      const data = await got<Data & { readonly actor?: unknown }>(path, {
        method: 'POST',
        headers,
        body,
      })
      if (typeof data.actor === 'string') of.onActed(data.actor)
      return data
    },
  }
}

type Answer = { readonly data: object } | { readonly absent: string }

/**
 * The list in an answer. Throws if there is none: what answers is no dashboard then, and an empty
 * list would say that there is nothing.
 */
export function listIn<Item>(list: readonly Item[] | undefined): readonly Item[] {
  if (Array.isArray(list)) return list
  throw new CliError(
    ExitCode.found,
    'What answers has no such list: is --url where the dashboard is?',
  )
}

/** A gateway, or a dashboard whose database is away, does not know what became of an act. */
function unanswered(status: number, data: unknown): CliError {
  const { error } = Object(data) as { readonly error?: unknown }
  const why = typeof error === 'string' ? `: ${error}` : ''
  return new CliError(
    ExitCode.unreachable,
    `The answer is ${status}${why}. Whether the act was carried out is unknown.`,
  )
}

function isJson({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('application/json') === true
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text, withDates)
  } catch {
    return undefined
  }
}

function query(parameters: Fields): string {
  return new URLSearchParams(filledIn(parameters)).toString()
}

function filledIn(values: Fields): Record<string, string> {
  const pairs = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return Object.fromEntries(pairs)
}

/**
 * Converts times to dates. They are recognised by the names of their fields, so that a text which
 * only looks like a time stays a text.
 */
function withDates(name: string, value: unknown): unknown {
  return typeof value === 'string' && TIME_NAME.test(name) && TIME.test(value)
    ? new Date(value)
    : value
}

const TIME_NAME = /^at$|At$|Until$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
