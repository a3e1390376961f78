/** The JSON API of a dashboard. */
export interface DashboardApi {
  /** Gets a document; `undefined` if the dashboard answers 404. */
  get<Data>(path: string, parameters: Fields): Promise<Data | undefined>
  post<Data>(path: string, fields: Fields): Promise<Data>
}

/** The fields of a form that is posted. A field that is undefined is left out. */
export type Fields = Readonly<Record<string, string | undefined>>
