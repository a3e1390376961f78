/** The acts that a viewer may be allowed. The names are those of the audit trail. */
export type DashboardAct =
  | 'keys.release'
  | 'keys.answer'
  | 'keys.forget'
  | 'dead-letters.redrive'
  | 'dead-letters.discard'
  | 'dead-letters.edit-and-redrive'
  | 'redrives.cancel'
  | 'consumers.pause'
  | 'consumers.resume'
  | 'sagas.resume'
  | 'sagas.compensate'
  | 'sagas.settle'
  | 'endpoints.ping'
  | 'endpoints.rotate-secret'
  | 'endpoints.pause'
  | 'endpoints.enable'
  | 'deliveries.retry'
  | 'deliveries.replay'

/** Whom a request comes from, and what they may do. */
export interface Viewer {
  /** A person or a program, as it shall stand in the audit. 1 to 200 characters. */
  readonly actor: string
  /** `read-only`: to look; a list: to look, and these acts. */
  readonly may: 'all' | 'read-only' | readonly DashboardAct[]
  /** Confines them to keys of these scopes; everything else is not shown. @default all of them */
  readonly scopes?: readonly string[]
}

/**
 * Says who sends the request. `null` or `undefined` means nobody, who sees nothing. A `Response`,
 * such as a redirect to a login, is sent as it is.
 */
export type Authorize = (
  request: Request,
) => Viewer | Response | null | undefined | Promise<Viewer | Response | null | undefined>

export function mayAct({ may }: Viewer, act: DashboardAct): boolean {
  return may === 'all' || (may !== 'read-only' && may.includes(act))
}

export function maySee({ scopes }: Viewer, scope: string): boolean {
  return scopes === undefined || scopes.includes(scope)
}

/**
 * Whether a request that changes something may come from elsewhere: a browser says so in
 * `Sec-Fetch-Site`, or else in `Origin`. One that says neither is no browser, and has credentials
 * of its own.
 */
export function isForged(request: Request): boolean {
  const site = request.headers.get('sec-fetch-site')
  if (site !== null) return site !== 'same-origin'
  const origin = request.headers.get('origin')
  if (origin === null) return false
  const host = request.headers.get('host') ?? new URL(request.url).host
  return !URL.canParse(origin) || new URL(origin).host !== host
}
