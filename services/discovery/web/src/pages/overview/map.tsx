import { type GeoPermissibleObjects, geoArea, geoAzimuthalEqualArea, geoCentroid, geoPath } from "d3-geo";
import type { Feature, FeatureCollection, Geometry, MultiPolygon, Polygon } from "geojson";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import type { CountrySum } from "../../admin.ts";
import { Load } from "../../components/index.ts";
import { countryName } from "../../countries.ts";
import { formatBytes, formatCopies } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { ON_THE_MAP } from "./countries.ts";

const WIDTH = 720;
const HEIGHT = 620;
const LARGEST = 38; // pixels: the radius of the circle of whoever holds most
/** From the Azores' longitude to the Caucasus, from Crete to the North Cape. */
const FRAME: GeoPermissibleObjects = {
  type: "MultiPoint",
  coordinates: [
    [-10, 36],
    [33, 35],
    [42, 62],
    [26, 71],
    [-22, 66],
  ],
};

type World = Topology<{ countries: GeometryCollection }>;
type Country = Feature<Geometry>;

/** Who cannot see it finds the same facts in the table below. */
export function EuropeMap({ countries }: { readonly countries: readonly CountrySum[] }) {
  const world = useResource(loadWorld);
  const told = countries.map((it) => `${countryName(it.country)}: ${formatCopies(it.copies)}`).join("; ");
  return (
    <Load resource={world} what="Drawing the map">
      {(shapes) => (
        <figure class="map">
          <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Map of Europe. ${told}.`}>
            <Land shapes={shapes} holding={new Map(countries.map((it) => [ON_THE_MAP[it.country], it]))} />
          </svg>
          <Elsewhere countries={countries.filter((it) => !ON_THE_MAP[it.country])} />
        </figure>
      )}
    </Load>
  );
}

async function loadWorld(): Promise<readonly Country[]> {
  const world = (await import("world-atlas/countries-50m.json")).default as unknown as World;
  return (feature(world, world.objects.countries) as FeatureCollection).features;
}

const projection = geoAzimuthalEqualArea()
  .rotate([-12, -52])
  .fitSize([WIDTH, HEIGHT], FRAME)
  .clipExtent([
    [0, 0],
    [WIDTH, HEIGHT],
  ]);
const path = geoPath(projection);

interface LandProps {
  readonly shapes: readonly Country[];
  readonly holding: ReadonlyMap<string | undefined, CountrySum>;
}

function Land({ shapes, holding }: LandProps) {
  const most = Math.max(1, ...[...holding.values()].map((it) => it.bytes));
  return (
    <>
      {shapes.map((it, index) => (
        <path key={index} d={path(it) ?? ""} class={holding.has(String(it.id)) ? "land ours" : "land"} />
      ))}
      {shapes.map((it) => {
        const held = holding.get(String(it.id));
        return held && <Circle key={it.id} shape={it} held={held} most={most} />;
      })}
    </>
  );
}

/** Its area is as the bytes there. */
function Circle({ shape, held, most }: { readonly shape: Country; readonly held: CountrySum; readonly most: number }) {
  const [x, y] = projection(geoCentroid(mainland(shape.geometry))) ?? [0, 0];
  return (
    <g transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}>
      <circle r={Math.max(6, LARGEST * Math.sqrt(held.bytes / most))}>
        <title>{`${countryName(held.country)}: ${formatCopies(held.copies)}, ${formatBytes(held.bytes)} (${held.backends.join(", ")})`}</title>
      </circle>
      <text dy="-0.15em">{held.country}</text>
      <text dy="0.95em" class="amount">
        {formatBytes(held.bytes)}
      </text>
    </g>
  );
}

/** The largest part: the middle of France is not in the Atlantic because of Guiana. */
function mainland(shape: Geometry): Geometry {
  if (shape.type !== "MultiPolygon") return shape;
  const parts = (shape as MultiPolygon).coordinates.map((coordinates): Polygon => ({ type: "Polygon", coordinates }));
  return parts.reduce((most, part) => (geoArea(part) > geoArea(most) ? part : most));
}

function Elsewhere({ countries }: { readonly countries: readonly CountrySum[] }) {
  if (!countries.length) return null;
  return (
    <figcaption>
      Not on the map:{" "}
      {countries.map((it) => `${countryName(it.country)} (${formatCopies(it.copies)}, ${formatBytes(it.bytes)})`).join("; ")}
    </figcaption>
  );
}
