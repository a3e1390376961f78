import type { Schema } from '../api/schema.ts'
import type { Html } from '../html/html.ts'
import type { DashboardAct, Viewer } from './access.ts'
import type { ResolvedOptions } from './options.ts'

/** What a page needs to load its data. */
export interface Asked {
  readonly options: ResolvedOptions
  readonly viewer: Viewer
  readonly query: URLSearchParams
  /** Whether a program asks, through the JSON API. */
  readonly isApi: boolean
}

/** A parameter or a field, with its text in the API's description. */
export interface Described {
  readonly about: string
  readonly required?: boolean
  readonly choices?: readonly string[]
  /**
   * Whether it says what is meant, or how much. An act refuses it if it is given and empty, because
   * without it the act would take more, or something else.
   */
  readonly narrows?: boolean
}

/** The part of a route that the API's description contains. */
export interface RouteApi {
  readonly summary: string
  /** The parameters of a page, or the fields of an act. */
  readonly takes: Readonly<Record<string, Described>>
  readonly answers: Schema
  /** Whether it is a list that a store need not have. Without it the answer is 501. */
  readonly mayHaveNoList?: boolean
}

/** A page: how its data is loaded, which is the API's answer, and how a person sees it. */
export interface PageRoute<Data = unknown> {
  readonly method: 'GET'
  /** The path below the base, without a slash at its beginning. */
  readonly path: string
  /** The page's title in the navigation; undefined for a page that only other pages link to. */
  readonly title: string
  readonly inNavigation: boolean
  /** Whether it shows only things that a viewer confined to `scopes` may see. */
  readonly isConfinable: boolean
  readonly api: RouteApi
  /** Whether the page exists with these options. */
  exists(options: ResolvedOptions): boolean
  /** Loads the data. Throws {@link NotFound} if it does not exist. */
  load(asked: Asked): Promise<Data>
  render(data: Data, asked: Asked): Html
}

/** An act: it changes something and then leads back to a page. */
export interface ActRoute {
  readonly method: 'POST'
  readonly path: string
  readonly act: DashboardAct
  /**
   * Whether the act itself refuses what a viewer confined to `scopes` must not do. @default false
   */
  readonly isConfinable?: boolean
  readonly api: RouteApi
  exists(options: ResolvedOptions): boolean
  perform(form: Form, asked: Asked): Promise<ActOutcome>
}

/**
 * The result of an act. The API answers with `result`. A browser is led to a page, whose path is
 * relative to that of the act, or is shown something.
 */
export type ActOutcome = { readonly result: object } & (
  | { readonly to: string }
  /** Something that is shown only once, such as a new secret. */
  | { readonly shown: { readonly title: string; readonly body: Html } }
)

export type Route = PageRoute | ActRoute

/** The fields of a form, or of a JSON object. */
export interface Form {
  /** The text of a field. Throws {@link BadInput} if it is missing. */
  text(name: string): string
  optional(name: string): string | undefined
}

/**
 * The requested thing does not exist. The message is shown. The code tells a program that this
 * dashboard has looked: any other 404 may be that of another program at this address.
 */
export class NotFound extends Error {
  readonly code: 'absent' | 'not-shown' = 'absent'
}
/**
 * This dashboard has no such page, or was not given such a source. That says nothing of what there
 * is.
 */
export class NotShown extends NotFound {
  override readonly code = 'not-shown'
}
/** The input cannot be used. The message says what to send. */
export class BadInput extends Error {}
/** The viewer may not see this. */
export class Forbidden extends Error {}

export function page<Data>(route: Omit<PageRoute<Data>, 'method'>): PageRoute {
  return { method: 'GET', ...route } as PageRoute<Data> as PageRoute
}
