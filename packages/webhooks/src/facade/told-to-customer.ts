import { OncekeyError } from '@oncekey/core'
import { LOCAL_LIMITS } from '../dialing/local-limits.ts'

/**
 * How an attempt failed, as a customer is told it. The messages that are stored are for operators:
 * they name addresses that internal names resolve to, the address of the proxy and the ids of seal
 * keys. So a customer gets a text of ours for each kind of failure, except where the message is
 * about the connection to their own host; an address in it is left out all the same. The kind
 * itself, `error`, is the same for both.
 */
export function toldToCustomer<
  Told extends {
    readonly error: string | null | undefined
    readonly message: string | null | undefined
  },
>(told: Told): Told {
  const { error, message } = told
  if (error == null || message == null) return told
  return { ...told, message: TEXTS[error] ?? (isOfTheirHost(error) ? bare(message) : OURS) }
}

/**
 * Makes an act throw, in place of an error about keys of ours, one of the same code without their
 * names. The original error is its `cause`, for the log.
 */
export function withoutKeyNames<Args extends unknown[], Result>(
  act: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  return async (...args) => {
    try {
      return await act(...args)
    } catch (error) {
      throw error instanceof OncekeyError && ABOUT_KEYS.has(error.code)
        ? new OncekeyError(error.code, NOT_DONE, { cause: error })
        : error
    }
  }
}

/**
 * Codes of Node, of TLS and of the HTTP client, such as ECONNRESET or CERT_HAS_EXPIRED, and answers
 * that broke off.
 */
function isOfTheirHost(error: string): boolean {
  if (LOCAL_LIMITS.has(error)) return false
  return /^[A-Z][A-Z\d_]+$/.test(error) || /^status \d+$/.test(error)
}

/** `connect ECONNREFUSED 192.0.2.1:443` without the address. */
function bare(message: string): string {
  return /^[a-z]+ E[A-Z\d]+(?= )/i.exec(message)?.[0] ?? message
}

const ABOUT_KEYS: ReadonlySet<string> = new Set(['seal-key-missing', 'seal-broken'])
const NOT_DONE = 'It was not done, because of a fault on the side of the sender.'
const OURS = 'It was not sent, because of a fault on the side of the sender.'

const TEXTS: Readonly<Record<string, string>> = {
  timeout: 'No complete answer came in time.',
  aborted: 'It was stopped before a complete answer came.',
  'address-forbidden': 'The host of this URL has an address that nothing is sent to.',
  'proxy-refused': 'The host of this URL could not be reached.',
  'spoke-first': 'Bytes came before the request was sent.',
}
