/** The JSON API of a dashboard. */
export interface DashboardApi {
  /**
   * Gets a document, such as a list. Throws `NotShown` if the dashboard has none of its kind, and
   * another error if what answers is no dashboard: neither says that there is nothing.
   */
  get<Data>(path: string, parameters: Fields): Promise<Data>
  /** Gets one thing; `undefined` if the dashboard has looked for it and it is not there. */
  find<Data>(path: string, parameters: Fields): Promise<Data | undefined>
  post<Data>(path: string, fields: Fields): Promise<Data>
}

/** Where a dashboard is, and how it knows who asks. */
export interface DashboardAddress {
  /** Without a password, so that a message may show it. */
  readonly href: string
  readonly authorization: string | undefined
}

/** The fields of a form that is posted. A field that is undefined is left out. */
export type Fields = Readonly<Record<string, string | undefined>>
