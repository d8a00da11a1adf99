"""What people study, like and can do, and what events are about: the Spanish of the generated world."""

from __future__ import annotations

CLUSTERS = {
    "Desarrollo profesional": (
        "Prácticas Laborales",
        "Empleabilidad",
        "Liderazgo",
        "Emprendimiento",
        "Desarrollo profesional",
    ),
    "Negocios y Finanzas": ("Marketing", "Finanzas", "Gestión Empresarial"),
    "Innovación y Tecnologia": (
        "Innovación",
        "Tecnología",
        "Inteligencia Artificial",
        "Realidad Virtual",
        "Blockchain",
        "Ciberseguridad",
    ),
    "Estilo de vida": ("Gastronomía", "Aire Libre", "Moda", "Deportes"),
    "Arte y Cultura": ("Música", "Cultura", "Artes visuales"),
    "Aprendizaje y educación": ("E-learning", "Talleres programación"),
    "Sostenibilidad": ("Sostenibilidad",),
    "Recursos Humanos": ("Recursos Humanos",),
    "Gaming": ("Gaming",),
}
"""The tags of each cluster; ``serendip.toml`` holds the same table the other way round."""

TAGS = tuple(tag for tags in CLUSTERS.values() for tag in tags)

OUTSIDE = ("Idiomas", "Voluntariado")
"""Tags that no cluster has: their events are left to the fallback."""

TOPICS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Prácticas Laborales": (
        ("prácticas en empresas tecnológicas", "becas y prácticas de verano", "prácticas en el extranjero"),
        ("los convenios con empresas", "los plazos de solicitud", "las experiencias de otros estudiantes"),
    ),
    "Empleabilidad": (
        ("cómo preparar una entrevista", "un currículum que se lee", "el primer empleo"),
        ("los errores más comunes", "lo que miran quienes contratan", "la carta de presentación"),
    ),
    "Liderazgo": (
        ("dirigir equipos pequeños", "liderar sin mandar", "hablar en público"),
        ("la escucha activa", "la toma de decisiones", "los conflictos dentro de un equipo"),
    ),
    "Emprendimiento": (
        ("de la idea a la empresa", "tu primer plan de negocio", "emprender desde la universidad"),
        ("la búsqueda de financiación", "la validación de una idea", "los primeros clientes"),
    ),
    "Desarrollo profesional": (
        ("planificar una carrera", "cambiar de sector", "redes de contactos que funcionan"),
        ("las metas a cinco años", "la formación continua", "el valor de un buen mentor"),
    ),
    "Marketing": (
        ("marca personal en redes", "campañas que se recuerdan", "marketing digital para asociaciones"),
        ("el público al que se habla", "la analítica web", "los textos que convencen"),
    ),
    "Finanzas": (
        ("invertir con cabeza", "finanzas personales para jóvenes", "leer un balance"),
        ("el ahorro a largo plazo", "los fondos indexados", "los riesgos que no se ven"),
    ),
    "Gestión Empresarial": (
        ("gestionar un pequeño negocio", "procesos que ahorran tiempo", "la empresa familiar"),
        ("los costes ocultos", "la relación con proveedores", "los indicadores que importan"),
    ),
    "Innovación": (
        ("pensamiento de diseño", "innovar en el sector público", "laboratorio de ideas"),
        ("los prototipos rápidos", "las entrevistas con usuarios", "los fracasos que enseñan"),
    ),
    "Tecnología": (
        ("el futuro de los chips", "casas conectadas", "la nube sin misterios"),
        ("los sensores", "el consumo de energía", "las carreras que se abren"),
    ),
    "Inteligencia Artificial": (
        ("modelos de lenguaje en la práctica", "visión por computador", "ética de los algoritmos"),
        ("los datos de entrenamiento", "los sesgos", "las herramientas libres"),
    ),
    "Realidad Virtual": (
        ("mundos inmersivos", "realidad virtual en el aula", "museos en tres dimensiones"),
        ("las gafas de este año", "el diseño de espacios", "el mareo y cómo evitarlo"),
    ),
    "Blockchain": (
        ("contratos inteligentes", "criptomonedas sin humo", "registros que nadie borra"),
        ("las carteras digitales", "la regulación europea", "los usos fuera de las finanzas"),
    ),
    "Ciberseguridad": (
        ("contraseñas y más allá", "captura la bandera", "proteger una red pequeña"),
        ("los correos trampa", "las copias de seguridad", "el trabajo de un equipo rojo"),
    ),
    "Gastronomía": (
        ("cocina de temporada", "cata de quesos y vinos", "pan casero", "cocinas del mundo"),
        ("los productos de cercanía", "los trucos de la abuela", "el maridaje"),
    ),
    "Aire Libre": (
        ("ruta por la sierra", "ruta en bicicleta", "noche de estrellas", "escalada para principiantes"),
        ("el equipo necesario", "la flora del camino", "las buenas prácticas en la montaña"),
    ),
    "Moda": (
        ("moda de segunda mano", "diseña tu camiseta", "desfile de estudiantes"),
        ("los tejidos", "los patrones", "la historia de una prenda"),
    ),
    "Deportes": (
        ("torneo de baloncesto", "carrera popular", "iniciación al pádel", "yoga al amanecer"),
        ("el calentamiento", "los equipos mixtos", "la inscripción de última hora"),
    ),
    "Música": (
        ("concierto de cámara", "noche de flamenco", "micrófono abierto", "coro universitario"),
        ("las versiones de siempre", "los grupos de la facultad", "los instrumentos de cuerda"),
    ),
    "Cultura": (
        ("club de lectura", "cine con coloquio", "teatro de aficionados", "visita guiada al casco antiguo"),
        ("las autoras contemporáneas", "la historia del barrio", "los clásicos vistos hoy"),
    ),
    "Artes visuales": (
        ("fotografía nocturna", "acuarela para empezar", "exposición colectiva", "ilustración digital"),
        ("la luz y el color", "la composición", "los cuadernos de viaje"),
    ),
    "E-learning": (
        ("aprender a distancia", "crear un curso en línea", "tutorías por vídeo"),
        ("las plataformas abiertas", "la motivación", "la evaluación a distancia"),
    ),
    "Talleres programación": (
        ("Python desde cero", "páginas web en una tarde", "programar juegos sencillos", "datos con hojas de cálculo"),
        ("los primeros bucles", "los errores y cómo leerlos", "un proyecto propio"),
    ),
    "Sostenibilidad": (
        ("huerto urbano", "residuo cero", "energía en casa", "limpieza de la ribera"),
        ("el compostaje", "la huella de cada cual", "las compras a granel"),
    ),
    "Recursos Humanos": (
        ("selección sin sesgos", "bienestar en el trabajo", "cultura de empresa"),
        ("las entrevistas por competencias", "la conciliación", "la retención de talento"),
    ),
    "Gaming": (
        ("torneo de videojuegos", "tarde de juegos de mesa", "historia de los videojuegos", "crea tu videojuego"),
        ("los clásicos de consola", "la liga universitaria", "el diseño de niveles"),
    ),
    "Idiomas": (
        ("intercambio de idiomas", "inglés para entrevistas"),
        ("la pronunciación", "las conversaciones por parejas"),
    ),
    "Voluntariado": (
        ("acompañar a mayores", "recogida de alimentos"),
        ("las asociaciones del barrio", "los turnos de fin de semana"),
    ),
}
"""Of each tag: what its events are about, and what is spoken of there."""

SEASONS: dict[str, tuple[int, ...]] = {
    "Prácticas Laborales": (2, 3, 9, 10),
    "Empleabilidad": (2, 3, 9, 10),
    "Aire Libre": (4, 5, 6, 7, 9),
    "Deportes": (4, 5, 6, 9),
    "Gastronomía": (11, 12, 1),
    "Música": (5, 6, 12),
    "Gaming": (1, 2, 7, 8, 11, 12),
    "Talleres programación": (10, 11, 2, 3),
    "Sostenibilidad": (3, 4, 5),
}
"""Months in which there are three times as many events of a tag."""

FORMS = (
    ("Taller", "este taller"),
    ("Charla", "esta charla"),
    ("Mesa redonda", "esta mesa redonda"),
    ("Jornada", "esta jornada"),
    ("Encuentro", "este encuentro"),
    ("Curso intensivo", "este curso intensivo"),
)
"""What an event can be called, and how its description speaks of it."""

ACTIVITIES = ("Gastronomía", "Aire Libre", "Moda", "Deportes", "Música", "Cultura", "Gaming", "Sostenibilidad")
"""Tags of what is done together in one place, never far away at a screen."""
MEETINGS = (("Encuentro", "este encuentro"), ("Quedada", "esta quedada"), ("Jornada", "esta jornada"))
"""What an event of these can be called."""

OPENINGS = (
    "¿Te interesa el tema «{topic}»? Entonces {this} es para ti.",
    "En {this} nos acercamos sin prisas a «{topic}».",
    "«{topic}»: de eso trata {this}, abierto a todo el mundo.",
    "Vuelve una de las citas más esperadas del curso: «{topic}».",
)
MIDDLES = (
    "Hablaremos de {one} y de {other} con {guest}.",
    "Empezaremos por {one} y terminaremos con {other}.",
    "Se tratarán {one} y {other}, con ejemplos reales y turno de preguntas.",
    "{guest} contarán lo que han aprendido sobre {one} y {other}.",
)
CLOSINGS = (
    "Plazas limitadas.",
    "Entrada libre hasta completar aforo.",
    "Habrá café y tiempo para conocerse.",
    "No hace falta experiencia previa.",
    "Se entregará un certificado de asistencia.",
    "Apúntate con quien quieras.",
)
GUESTS = (
    "profesionales del sector",
    "antiguos alumnos",
    "investigadoras de la universidad",
    "vecinos del barrio",
    "estudiantes de último curso",
)

VENUES = (
    "Salón de actos de la Facultad de Ciencias",
    "Biblioteca central",
    "Casa de la Cultura",
    "Centro cívico del Ensanche",
    "Aula Magna",
    "Patio de la Escuela de Arte",
    "Espacio joven La Estación",
)
CITIES = ("Madrid", "Barcelona", "Valencia", "Sevilla", "Bilbao", "Zaragoza", "Málaga")

DEGREES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Ingeniería Informática": (
        ("Inteligencia Artificial", "Ciberseguridad", "Talleres programación", "Tecnología", "Blockchain"),
        ("Python", "SQL", "desarrollo web", "administración de sistemas"),
    ),
    "Ingeniería de Telecomunicación": (
        ("Tecnología", "Ciberseguridad", "Realidad Virtual", "Innovación"),
        ("redes", "electrónica", "Python", "trabajo en equipo"),
    ),
    "Administración de Empresas": (
        ("Finanzas", "Gestión Empresarial", "Emprendimiento", "Liderazgo"),
        ("contabilidad", "hojas de cálculo", "negociación", "hablar en público"),
    ),
    "Economía": (
        ("Finanzas", "Gestión Empresarial", "Blockchain", "Empleabilidad"),
        ("estadística", "hojas de cálculo", "análisis de datos"),
    ),
    "Marketing": (
        ("Marketing", "Emprendimiento", "Moda", "Desarrollo profesional"),
        ("redes sociales", "redacción", "diseño gráfico", "analítica web"),
    ),
    "Relaciones Laborales": (
        ("Recursos Humanos", "Liderazgo", "Empleabilidad", "Prácticas Laborales"),
        ("entrevistas", "derecho laboral", "mediación", "trabajo en equipo"),
    ),
    "Psicología": (
        ("Recursos Humanos", "Liderazgo", "Cultura", "Desarrollo profesional"),
        ("mediación", "estadística", "escucha activa"),
    ),
    "Bellas Artes": (
        ("Artes visuales", "Cultura", "Música", "Moda"),
        ("dibujo", "fotografía", "diseño gráfico", "escultura"),
    ),
    "Comunicación Audiovisual": (
        ("Artes visuales", "Realidad Virtual", "Música", "Marketing"),
        ("edición de vídeo", "fotografía", "redacción", "guion"),
    ),
    "Filología Hispánica": (
        ("Cultura", "E-learning", "Música"),
        ("redacción", "corrección de textos", "hablar en público"),
    ),
    "Magisterio": (
        ("E-learning", "Talleres programación", "Cultura", "Sostenibilidad"),
        ("didáctica", "hablar en público", "trabajo en equipo"),
    ),
    "Ciencias Ambientales": (
        ("Sostenibilidad", "Aire Libre", "Innovación"),
        ("estadística", "cartografía", "análisis de datos", "trabajo de campo"),
    ),
    "Ciencias del Deporte": (
        ("Deportes", "Aire Libre", "Gastronomía"),
        ("primeros auxilios", "entrenamiento", "trabajo en equipo"),
    ),
    "Nutrición": (
        ("Gastronomía", "Deportes", "Sostenibilidad"),
        ("cocina", "estadística", "redacción"),
    ),
    "Diseño de Videojuegos": (
        ("Gaming", "Realidad Virtual", "Talleres programación", "Artes visuales"),
        ("modelado 3D", "Python", "dibujo", "guion"),
    ),
}
"""Of each study: the tags its people lean to, and the skills they have."""

HOBBIES: dict[str, tuple[str, ...]] = {
    "videojuegos": ("Gaming", "Realidad Virtual"),
    "juegos de mesa": ("Gaming",),
    "senderismo": ("Aire Libre", "Sostenibilidad"),
    "ciclismo": ("Aire Libre", "Deportes"),
    "baloncesto": ("Deportes",),
    "yoga": ("Deportes", "Aire Libre"),
    "cocina": ("Gastronomía",),
    "fotografía": ("Artes visuales",),
    "pintura": ("Artes visuales", "Cultura"),
    "guitarra": ("Música",),
    "conciertos": ("Música", "Cultura"),
    "lectura": ("Cultura",),
    "cine": ("Cultura", "Artes visuales"),
    "moda": ("Moda",),
    "programación": ("Talleres programación", "Inteligencia Artificial"),
    "robótica": ("Tecnología", "Inteligencia Artificial"),
    "bolsa": ("Finanzas", "Blockchain"),
    "voluntariado ambiental": ("Sostenibilidad",),
    "podcasts": ("Marketing", "E-learning"),
    "debate": ("Liderazgo", "Emprendimiento"),
}

FIRST_NAMES = {
    "mujer": "Lucía Sofía Martina María Paula Julia Carmen Alba Noa Sara Elena Irene Marta Claudia Aitana Inés Rocío",
    "hombre": "Hugo Martín Lucas Mateo Leo Daniel Alejandro Pablo Manuel Álvaro Adrián Mario Diego Javier Iker Óscar",
    "no binario": "Alex Noah Ariel Cruz Sam Andrea",
}
SURNAMES = (
    "García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Ruiz Hernández Díaz Moreno "
    "Muñoz Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez Vázquez Ramos Gil Serrano Blanco Molina Ibáñez Peña"
)
"""Names, separated by spaces."""
