// A client in which nothing can be asked that the server does not describe: checked by scripts/check-types.
import type { Answer, EndpointName, Endpoints, Inquiry } from "./platebase-api";

declare function call<N extends EndpointName>(
    name: N,
    method: Endpoints[N]["method"],
    path: Endpoints[N]["path"],
    given: { params: Endpoints[N]["params"]; query: Endpoints[N]["query"]; body: Endpoints[N]["body"] },
): Promise<Endpoints[N]["reply"]>;

const inquiry: Inquiry = {
    plate: "KSA123",
    purpose: "criminal-investigation",
    justification: "a series of burglaries",
};
const answer: Promise<Answer | string> =
    call("inquiries.ask", "POST", "/v1/inquiries", { params: {}, query: {}, body: inquiry });
void call("people.show", "GET", "/v1/people/{id}", { params: { id: "doe" }, query: {}, body: undefined });
void answer;

// @ts-expect-error it is asked by POST
void call("inquiries.ask", "GET", "/v1/inquiries", { params: {}, query: {}, body: inquiry });
// @ts-expect-error a purpose is wanted
const nothing: Inquiry = { plate: "KSA123" };
// @ts-expect-error there is no such endpoint
type None = Endpoints["reads.steal"];
void nothing;
export type { None };
