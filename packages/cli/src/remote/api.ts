import { CliError, usageError } from '../command/cli-error.ts'
import type { DashboardApi, Fields } from '../command/dashboard-api.ts'
import { ExitCode } from '../command/exit-code.ts'

/**
 * Sends verbs to a dashboard instead of a database, with a token that the dashboard's `authorize`
 * knows. The actor of an act is the one that `authorize` returns for the token.
 */
export function dashboardApi(of: {
  readonly url: string
  readonly token: string | undefined
  readonly timeoutMs: number
}): DashboardApi {
  const base = new URL('api/v1/', of.url.endsWith('/') ? of.url : `${of.url}/`)

  async function ask(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers)
    headers.set('accept', 'application/json')
    if (of.token !== undefined) headers.set('authorization', `Bearer ${of.token}`)
    const signal = AbortSignal.timeout(of.timeoutMs)
    try {
      return await fetch(new URL(path, base), { ...init, headers, signal, redirect: 'manual' })
    } catch (error) {
      const cause = (error as { cause?: unknown }).cause ?? error
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new CliError(
        ExitCode.unreachable,
        `The dashboard at ${base.host} does not answer: ${why}`,
      )
    }
  }

  async function answer<Data>(response: Response): Promise<Data> {
    const text = await response.text()
    const type = response.headers.get('content-type') ?? ''
    if (!type.startsWith('application/json')) {
      throw new CliError(
        ExitCode.found,
        `${base.href} answers ${response.status} without JSON: is that where the dashboard is, and is --token right?`,
      )
    }
    const data = JSON.parse(text, withDates)
    if (response.ok) return data as Data
    const error = typeof data?.error === 'string' ? data.error : text
    if (response.status === 400) throw usageError(error)
    throw new CliError(ExitCode.found, error)
  }

  return {
    async get<Data>(path: string, parameters: Fields) {
      const response = await ask(`${path}?${new URLSearchParams(filledIn(parameters))}`, {})
      if (response.status === 404) return undefined
      return await answer<Data>(response)
    },

    async post<Data>(path: string, fields: Fields) {
      const body = JSON.stringify(filledIn(fields))
      const headers = { 'content-type': 'application/json' }
      return await answer<Data>(await ask(path, { method: 'POST', headers, body }))
    },
  }
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
