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

/** The sender of a request, and what they may do. */
export interface Viewer {
  /** A person or a program, as it is entered in the audit trail. 1 to 200 characters. */
  readonly actor: string
  /** `read-only`: may look at everything. A list: may also perform these acts. */
  readonly may: 'all' | 'read-only' | readonly DashboardAct[]
  /** Confines the viewer to keys of these scopes; nothing else is shown. @default all scopes */
  readonly scopes?: readonly string[]
}

/**
 * Says who sends the request. `null` or `undefined` means nobody, who sees nothing. A `Response`,
 * such as a redirect to a login, is sent unchanged.
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
 * Whether a request that changes something was sent by another site. A browser says so in
 * `Sec-Fetch-Site`, or else in `Origin`. A request with neither header is not from a browser, and
 * another site cannot have made it.
 */
export function isForged(request: Request): boolean {
  const site = request.headers.get('sec-fetch-site')
  if (site !== null) return site !== 'same-origin'
  const origin = request.headers.get('origin')
  if (origin === null) return false
  const host = request.headers.get('host') ?? new URL(request.url).host
  return !URL.canParse(origin) || new URL(origin).host !== host
}
