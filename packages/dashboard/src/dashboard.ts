import { OncekeyError, OptionsError } from '@oncekey/core'
import { type Content, html } from './html/html.ts'
import { answer, jsonAnswer, redirect, stylesheet } from './html/respond.ts'
import { STYLESHEET_PATH } from './html/stylesheet.ts'
import { filterForm } from './pages/keys/keys.ts'
import { layout } from './pages/layout.ts'
import { routes } from './routes.ts'
import { isForged, mayAct, type Viewer } from './routing/access.ts'
import { formOf } from './routing/form.ts'
import { OPENAPI_PATH, openApi } from './routing/open-api.ts'
import { type DashboardOptions, type ResolvedOptions, resolveOptions } from './routing/options.ts'
import {
  type Asked,
  BadInput,
  Forbidden,
  NotFound,
  NotShown,
  type PageRoute,
  type Route,
} from './routing/route.ts'
import { viewerOf } from './routing/viewer-of.ts'

/**
 * Answers every request below the path at which it is mounted. `basePath` overrides the option, if
 * the mount knows its path better.
 */
export type Dashboard = (request: Request, at?: { readonly basePath?: string }) => Promise<Response>

/**
 * The dashboard, as one function from a `Request` to a `Response`. It opens no connections and
 * starts nothing, and queries the database only for what somebody looks at. Its JSON API has the
 * same paths, below `api/v1/`.
 *
 * @example
 * ```ts
 * const show = dashboard({
 *   store,
 *   deadLetters: [log.deadLetters],
 *   lag: { log, consumers: ['mailer'] },
 *   authorize: async (request) => {
 *     const user = await userOf(request)
 *     return user?.isOperator ? { actor: user.email, may: 'all' } : null
 *   },
 * })
 * app.use('/admin/oncekey', toNode(show)) // Express; of '@oncekey/dashboard/node'
 * ```
 */
export function dashboard(options: DashboardOptions): Dashboard {
  const resolved = resolveOptions(options)
  return (request, at) => respond(resolved, request, at?.basePath ?? resolved.basePath)
}

async function respond(
  options: ResolvedOptions,
  request: Request,
  basePath: string,
): Promise<Response> {
  const url = new URL(request.url)
  if (url.pathname === basePath)
    return redirect(308, `./${basePath.split('/').at(-1)}/${url.search}`)
  const below = url.pathname.startsWith(`${basePath}/`)
    ? url.pathname.slice(basePath.length + 1)
    : undefined
  if (below === undefined) {
    throw new OptionsError(
      `dashboard: it is asked for ${url.pathname}, which is not below its basePath ${JSON.stringify(basePath)}. Write the path where it is mounted as basePath.`,
    )
  }
  if (below === STYLESHEET_PATH) return stylesheet()
  const isApi = below.startsWith(API)
  const path = isApi ? below.slice(API.length) : below
  const shown: Shown = { options, path: below, isApi, url, viewer: undefined, current: undefined }

  const viewer = viewerOf(await options.authorize(request))
  if (viewer === undefined) {
    return told(shown, 403, 'Not for you', 'This page is not for everybody.')
  }
  if ('status' in viewer) return viewer
  const seen = { ...shown, viewer }
  try {
    return await routed(seen, request, path)
  } catch (error) {
    return failed(seen, error)
  }
}

interface Shown {
  readonly options: ResolvedOptions
  readonly path: string
  readonly isApi: boolean
  readonly url: URL
  readonly viewer: Viewer | undefined
  readonly current: string | undefined
}

async function routed(
  seen: Shown & { readonly viewer: Viewer },
  request: Request,
  path: string,
): Promise<Response> {
  const { options, viewer, url, isApi } = seen
  const method = request.method === 'HEAD' ? 'GET' : request.method
  if (isApi && path === OPENAPI_PATH && method === 'GET') {
    return jsonAnswer(200, openApi(routes.filter((route) => route.exists(options))))
  }
  const here = routes.filter((route) => route.path === path && route.exists(options))
  const route = here.find((each) => each.method === method)
  if (route === undefined) {
    if (here.length === 0) throw new NotShown('There is no such page.')
    return told(seen, 405, 'Not like this', `This takes ${here[0]?.method}, not ${request.method}.`)
  }
  const asked: Asked = { options, viewer, query: url.searchParams, isApi }
  if (route.method === 'GET') {
    if (!isVisible(route, viewer)) throw new Forbidden()
    const data = await route.load(asked)
    if (isApi) return jsonAnswer(200, data)
    return shownAs(seen, 200, route.title, route.render(data, asked), route.path)
  }
  if (!isVisible(route, viewer) || !mayAct(viewer, route.act)) throw new Forbidden()
  if (isForged(request)) {
    return told(seen, 403, 'Refused', 'This request came from another site. Nothing was done.')
  }
  const outcome = await route.perform(await formOf(request, route.api.takes), asked)
  if (isApi) return jsonAnswer(200, outcome.result)
  if ('to' in outcome) return redirect(303, outcome.to)
  const { title, body } = outcome.shown
  return shownAs(seen, 200, title, body, seen.path)
}

function isVisible(route: Route, { scopes }: Viewer): boolean {
  return scopes === undefined || route.isConfinable === true
}

function failed(seen: Shown, error: unknown): Response {
  if (error instanceof NotFound) {
    return told(seen, 404, 'Not here', error.message, { code: error.code })
  }
  if (error instanceof Forbidden)
    return told(seen, 403, 'Not for you', 'You may not see or do this.')
  if (error instanceof BadInput || error instanceof OptionsError) {
    const isKeys = seen.path === 'keys'
    const form = isKeys ? filterForm({ query: seen.url.searchParams }) : undefined
    return told(seen, 400, 'That cannot be', error.message, { more: form })
  }
  if (error instanceof OncekeyError) {
    if (error.code === 'event-invalid') return told(seen, 400, 'That cannot be', error.message)
    const text = `${error.message} (${error.code}) Nothing is known to have been done. Reload to ask again.`
    if (error.code === 'seal-broken' || error.code === 'seal-key-missing') {
      return told(seen, 409, 'It does not open', `${error.message} (${error.code})`)
    }
    if (error.code === 'list-unsupported') {
      return told(seen, 501, 'No list', error.message, { code: error.code })
    }
    return told(seen, 503, 'The database does not tell', text)
  }
  throw error
}

function told(
  seen: Shown,
  status: number,
  title: string,
  text: string,
  { code, more }: { readonly code?: string; readonly more?: Content } = {},
): Response {
  if (seen.isApi) return jsonAnswer(status, { error: text, code })
  return shownAs(seen, status, title, html`${more}<p role="alert">${text}</p>`, seen.path)
}

function shownAs(
  { options, path, viewer }: Shown,
  status: number,
  title: string,
  body: Content,
  current: string,
): Response {
  const depth = path.split('/').length - 1
  const page = layout({
    root: depth === 0 ? './' : '../'.repeat(depth),
    title,
    product: options.title,
    navigation: viewer === undefined ? [] : navigation(routes, options, viewer),
    current,
    viewer,
    body,
  })
  return answer(status, page)
}

function navigation(
  all: readonly Route[],
  options: ResolvedOptions,
  viewer: Viewer,
): readonly PageRoute[] {
  return all.filter(
    (route): route is PageRoute =>
      route.method === 'GET' &&
      route.inNavigation &&
      route.exists(options) &&
      isVisible(route, viewer),
  )
}

const API = 'api/v1/'
