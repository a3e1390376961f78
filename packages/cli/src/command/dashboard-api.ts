/** The JSON API of a dashboard. */
export interface DashboardApi {
  /** `undefined` where it is not there. */
  get<Data>(path: string, parameters: Fields): Promise<Data | undefined>
  post<Data>(path: string, fields: Fields): Promise<Data>
}

/** What is undefined is left out. */
export type Fields = Readonly<Record<string, string | undefined>>
