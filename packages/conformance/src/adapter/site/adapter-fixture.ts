import type { Engine, EngineOptions, HandlerContext } from '@oncekey/core'

/**
 * How an adapter joins the suite: it serves a site that is described in the suite's own few words,
 * written out in its framework's way.
 *
 * What it has to do, in this order, on a port of its own:
 *
 * 1. set the headers of `site.outside()` on every response, before the adapter has its turn;
 * 2. parse JSON bodies, where the framework leaves that to the app, keeping their bytes where
 *    `options.authenticate` asks for them;
 * 3. let the adapter cover every route, with `options`, `scope` and `fingerprint` translated to its
 *    framework's request; what construction throws is thrown on;
 * 4. run `route.handler` and send its reply as a handler of the framework would;
 * 5. answer an error that reaches the app with 500 and `{ "error": error.code ?? error.message }`.
 *
 * @example
 * ```ts
 * import { describeAdapter } from '@oncekey/conformance'
 * import { serve } from './serve-with-my-framework.ts'
 *
 * describeAdapter({ name: 'my framework 3', serve })
 * ```
 */
export type ServeSite = (site: Site) => Promise<ServedSite>

/** What an adapter is asked to serve. */
export interface Site {
  readonly options: EngineOptions<unknown>
  /** `undefined`: the option is left out. */
  readonly scope: SiteScope | undefined
  readonly fingerprint: ((body: unknown) => unknown) | undefined
  /** Headers that something mounted outside sets, asked for anew on every request. */
  readonly outside: () => Readonly<Record<string, string>>
  readonly routes: readonly Route[]
}

/** A scope in the suite's words: told a header of the request. */
export type SiteScope =
  | 'dangerously-shared'
  | ((header: (name: string) => string | undefined) => string | Promise<string>)

export interface Route {
  readonly method: string
  /** Without parameters, which frameworks spell differently. */
  readonly path: string
  readonly handler: SiteHandler
}

export type SiteHandler = (call: Call) => Reply | Promise<Reply>

/** What a handler is called with. */
export interface Call {
  /** What the adapter gives handlers; a getter, so that it may throw `not-covered`. */
  readonly context: HandlerContext
  /** The parsed JSON body. */
  readonly body: unknown
}

/** What a handler answers; the framework may add headers of its own. */
export interface Reply {
  /** @default 200 */
  readonly status?: number
  /** In this order; a name that comes twice has two values. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  /** Headers set outside that the handler removes. */
  readonly removed?: readonly string[]
  /** @default `{ kind: 'none' }` */
  readonly body?: ReplyBody
}

export type ReplyBody =
  /** The framework's way of answering without a body. */
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** Streamed in the framework's way. Stop pulling, or return, when the framework stops the stream. */
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Uint8Array> }

/** A site that is up. */
export interface ServedSite {
  /** `http://127.0.0.1:41234` */
  readonly url: string
  readonly drain: Engine<unknown>['drain']
  /** Ends the server and every connection. */
  close(): Promise<void>
}
