import type { Engine, EngineOptions, HandlerContext } from '@oncekey/core'

/**
 * How an adapter joins the suite: it serves a site, described in the suite's own terms, in the way
 * of its framework.
 *
 * It has to do the following, in this order, on its own port:
 *
 * 1. set the headers of `site.outside()` on every response, before the adapter runs;
 * 2. parse JSON bodies, if the framework leaves that to the app, keeping their bytes if
 *    `options.authenticate` needs them;
 * 3. cover every route with the adapter, with `options`, `scope` and `fingerprint` translated to
 *    the framework's request, and rethrow what construction throws;
 * 4. run `route.handler` and send its reply as a handler of the framework would;
 * 5. respond to an error that reaches the app with 500 and `{ "error": error.code ?? error.message
 *    }`.
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

/** What an adapter should serve. */
export interface Site {
  readonly options: EngineOptions<unknown>
  /** `undefined` omits the option. */
  readonly scope: SiteScope | undefined
  readonly fingerprint: ((body: unknown) => unknown) | undefined
  /** Headers set outside the adapter, requested anew for every request. */
  readonly outside: () => Readonly<Record<string, string>>
  readonly routes: readonly Route[]
}

/** A scope in the suite's terms, which reads a header of the request. */
export type SiteScope =
  | 'dangerously-shared'
  | ((header: (name: string) => string | undefined) => string | Promise<string>)

export interface Route {
  readonly method: string
  /** Without parameters, because frameworks differ in their syntax. */
  readonly path: string
  readonly handler: SiteHandler
}

export type SiteHandler = (call: Call) => Reply | Promise<Reply>

/** The argument of a handler. */
export interface Call {
  /** The context from the adapter; a getter, so that it can throw `not-covered`. */
  readonly context: HandlerContext
  /** The parsed JSON body. */
  readonly body: unknown
  /** The HTTP/2 stream below the response; see {@link describeHttp2Adapter}. */
  readonly stream?: CallStream | undefined
  /**
   * The response of `node:http` below the framework's, as handlers of the framework get it; a
   * getter, if reading it has an effect. Left out where there is none; the sentences about it are
   * skipped then.
   */
  readonly response?: CallResponse | undefined
}

/** The part of `node:http`'s `ServerResponse` that handlers of the suite call. */
export interface CallResponse {
  statusCode: number
  write(chunk: Uint8Array): boolean
  end(): unknown
  once(event: 'drain', listener: () => void): unknown
}

/** The part of `node:http2`'s `ServerHttp2Stream` that handlers of the suite call. */
export interface CallStream {
  respond(headers?: Record<string, string | number>, options?: { endStream?: boolean }): void
  write(chunk: string): boolean
  end(chunk?: string): unknown
  close(code?: number): void
}

/** The response of a handler; the framework may add headers. */
export interface Reply {
  /** @default 200 */
  readonly status?: number
  /** In this order; a repeated name has several values. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  /** Headers set outside that the handler removes. */
  readonly removed?: readonly string[]
  /** @default `{ kind: 'none' }` */
  readonly body?: ReplyBody
}

export type ReplyBody =
  /** Responds without a body, in the framework's way. */
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** Streams in the framework's way. The generator returns when the framework stops the stream. */
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Uint8Array> }

/** A running site. */
export interface ServedSite {
  /** `http://127.0.0.1:41234` */
  readonly url: string
  readonly drain: Engine<unknown>['drain']
  /**
   * Ends the connections that the server takes for idle, as it does when it begins to shut down
   * (`closeIdleConnections()` of `node:http`). Left out where it has no such thing; the sentences
   * about it are skipped then.
   */
  closeIdle?(): void
  /** Ends the server and all connections. */
  close(): Promise<void>
}
