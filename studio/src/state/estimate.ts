import { useEffect, useState } from "preact/hooks";
import { post } from "../api/client";
import type { Estimate, JobKind } from "../api/types";

const WAIT = 400;

/** How long some work would take, asked anew a moment after the request has changed; null while it is not known. */
export function useEstimate(kind: JobKind, request: object | null): Estimate | null {
  const [answer, setAnswer] = useState<Estimate | null>(null);
  const body = request === null ? null : JSON.stringify({ kind, request });
  useEffect(() => {
    setAnswer(null);
    if (body === null) return;
    let current = true;
    const timer = setTimeout(() => {
      post<Estimate>("/api/estimate", JSON.parse(body)).then(
        (estimate) => {
          if (current) setAnswer(estimate);
        },
        () => undefined, // no estimate is no failure: what is wrong is said when the work is begun
      );
    }, WAIT);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [body]);
  return answer;
}
