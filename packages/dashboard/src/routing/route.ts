import type { Schema } from '../api/schema.ts'
import type { Html } from '../html/html.ts'
import type { DashboardAct, Viewer } from './access.ts'
import type { ResolvedOptions } from './options.ts'

/** Everything that a page is loaded with. */
export interface Asked {
  readonly options: ResolvedOptions
  readonly viewer: Viewer
  readonly query: URLSearchParams
}

/** The text of the API's description for a parameter or a field. */
export interface Described {
  readonly about: string
  readonly required?: boolean
  readonly choices?: readonly string[]
}

/** A route as the API's description has it. */
export interface RouteApi {
  readonly summary: string
  /** The parameters of a page, the fields of an act. */
  readonly takes: Readonly<Record<string, Described>>
  readonly answers: Schema
}

/** A page: what is loaded for it, which is what the API answers, and how a person sees that. */
export interface PageRoute<Data = unknown> {
  readonly method: 'GET'
  /** Below the base, without a slash in front. */
  readonly path: string
  /** The page's title in the navigation; undefined for a page that only other pages link to. */
  readonly title: string
  readonly inNavigation: boolean
  /** Whether it shows nothing that a viewer with `scopes` must not see. */
  readonly isConfinable: boolean
  readonly api: RouteApi
  /** Whether there is anything to show with these options. */
  exists(options: ResolvedOptions): boolean
  /** Throws {@link NotFound} for what is not there. */
  load(asked: Asked): Promise<Data>
  render(data: Data, asked: Asked): Html
}

/** An act: it does what its name says, and leads back to a page. */
export interface ActRoute {
  readonly method: 'POST'
  readonly path: string
  readonly act: DashboardAct
  /** Whether it refuses by itself what a viewer with `scopes` must not do. @default false */
  readonly isConfinable?: boolean
  readonly api: RouteApi
  exists(options: ResolvedOptions): boolean
  perform(form: Form, asked: Asked): Promise<ActOutcome>
}

/**
 * The result of an act: the API's answer, and for browsers either a page to go to, relative to the
 * act's path, or something to show.
 */
export type ActOutcome = { readonly result: object } & (
  | { readonly to: string }
  /** Something that is shown once and never again, such as a new secret. */
  | { readonly shown: { readonly title: string; readonly body: Html } }
)

export type Route = PageRoute | ActRoute

/** The fields of a form, or of a JSON object. */
export interface Form {
  /** Throws {@link BadInput} where it is missing. */
  text(name: string): string
  optional(name: string): string | undefined
}

/** The thing that was asked for does not exist. The message is shown. */
export class NotFound extends Error {}
/** The input cannot be used. The message says what to send. */
export class BadInput extends Error {}
/** Somebody who may not see it. */
export class Forbidden extends Error {}

export function page<Data>(route: Omit<PageRoute<Data>, 'method'>): PageRoute {
  return { method: 'GET', ...route } as PageRoute<Data> as PageRoute
}
